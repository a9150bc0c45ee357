"""What rules mean to one version of Dubbo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import AffinityRule, ConditionRule, ConfiguratorRule, MeshRule, ScriptRule, TagRule
from ..stages import AffinityStage, ConditionStage, Interpretation, MeshStage, OpaqueStage, TagStage
from . import affinity, conditions, header_keys, mesh, scripts, settings, tags
from .headers import DroppedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..dialects import Dialect
    from ..model import Rule
    from ..stages import Setting, Stage
    from ..verdicts import Remark

_ORDER: tuple[type[Stage], ...] = (MeshStage, TagStage, ConditionStage, OpaqueStage, AffinityStage)
"""The kinds of stages in the order in which Dubbo applies them: -50, 100, 140 to 150, 200; affinity last."""


def interpret(rules: Iterable[Rule], dialect: Dialect) -> Interpretation:
    """Says what rules mean, in the order in which Dubbo applies them: mesh, tags, conditions, scripts."""
    stages: list[Stage] = []
    remarks: list[Remark] = []
    errors: list[str] = []
    crashes: list[str] = []
    dropped: list[Rule] = []
    configured: list[Setting] = []
    for rule in rules:
        remarks += header_keys.remarks(rule, dialect)
        stage: Stage | None = None
        counts = False
        try:
            _check_duplicates(rule, dialect)
            match rule:
                case ConditionRule():
                    stage = conditions.stage(rule, dialect, remarks, errors, crashes)
                case TagRule():
                    stage = tags.stage(rule, dialect, remarks)
                case AffinityRule():
                    stage = affinity.stage(rule, dialect)
                case ScriptRule():
                    stage = scripts.stage(rule, dialect, remarks)
                case MeshRule():
                    stage = mesh.stage(rule, dialect, remarks)
                case ConfiguratorRule():
                    found = settings.settings(rule, remarks)
                    configured += found
                    counts = bool(found)
                case _:
                    pass
        except DroppedError as error:
            remarks.append(error.remark)
            if error.is_error:
                errors.append(f"{error.where}: {error.why}")
        if stage is not None:
            stages.append(stage)
        elif not counts:
            dropped.append(rule)
    if not any(isinstance(each, TagStage) for each in stages):
        stages.append(tags.without_rule(dialect))
    stages.sort(key=lambda each: _ORDER.index(type(each)))
    return Interpretation(
        tuple(stages), tuple(configured), tuple(remarks), tuple(errors), tuple(dropped), "; ".join(crashes)
    )


def _check_duplicates(rule: Rule, dialect: Dialect) -> None:
    duplicate = rule.header.duplicate
    if duplicate is not None and dialect.refuses_duplicates:
        why = f"{dialect.release} drops a rule that has a key twice"
        raise DroppedError(duplicate.where, duplicate.text, why)
