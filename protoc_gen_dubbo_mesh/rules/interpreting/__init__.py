"""What rules mean to one version of Dubbo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import ConditionRule
from ..stages import Interpretation
from . import conditions, header_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..dialects import Dialect
    from ..model import Rule
    from ..stages import Stage
    from ..verdicts import Remark


def interpret(rules: Iterable[Rule], dialect: Dialect) -> Interpretation:
    """Says what rules mean, in the order in which Dubbo applies them: mesh, tags, conditions, scripts."""
    stages: list[Stage] = []
    remarks: list[Remark] = []
    errors: list[str] = []
    crashes: list[str] = []
    dropped: list[Rule] = []
    for rule in rules:
        remarks += header_keys.remarks(rule, dialect)
        if isinstance(rule, ConditionRule):
            stage = conditions.stage(rule, dialect, remarks, errors, crashes)
            if stage is None:
                dropped.append(rule)
            else:
                stages.append(stage)
    return Interpretation(
        tuple(stages), (), tuple(remarks), tuple(errors), tuple(dropped), "; ".join(crashes)
    )
