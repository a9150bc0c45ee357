"""Writes stages as Istio's resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources import Translation

if TYPE_CHECKING:
    from ..stages import Interpretation


def express(interpretation: Interpretation) -> Translation:
    """The resources of each host, and the remarks on each line."""
    return Translation((), interpretation.remarks)
