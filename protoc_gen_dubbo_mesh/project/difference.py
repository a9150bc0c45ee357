"""What a run changes in the output directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Difference(NamedTuple):
    """A file that differs from what it should be. None means that the file does not exist."""

    path: Path
    before: bytes | None
    after: bytes | None
