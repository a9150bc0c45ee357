"""Script rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Scalar, ScriptRule
from . import shapes
from .header import header

if TYPE_CHECKING:
    from ..problems import Problem
    from .tree import Mapping


def read(tree: Mapping, problems: list[Problem], metadata: Mapping | None = None) -> ScriptRule:
    """Reads a script rule. The script is kept as text."""
    head = header(tree, {"type", "script"}, problems, metadata)
    script = shapes.scalar(tree, "script", problems) or Scalar("", plain=False, where=tree.where)
    return ScriptRule(head, shapes.scalar(tree, "type", problems), script)
