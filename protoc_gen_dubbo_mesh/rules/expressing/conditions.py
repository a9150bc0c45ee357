"""Condition rules as steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import WhenEmpty
from ..verdicts import Remark, Verdict
from . import instances, requests, scoping
from .steps import Branch, Narrow, Refuse, Step
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..directory import Host
    from ..stages import Choice, ConditionStage, Filter
    from .steps import Alternatives, Predicate

_SPILLS_OVER = (
    "without force, pods with {wish} are preferred and others serve if there are none: Envoy also uses "
    "others if fewer than about 72 % of the preferred are healthy, and Dubbo does not"
)
_SKIPS_RULE = "if another line of the rule leaves no instance, dubbo-go skips this one, too"
_ALL = Narrow((Branch(1, ()),))
_SHARE_OF_NONE = "if a destination has no pods, Dubbo sends its share to the others, and in Istio it fails"


def steps(stage: ConditionStage, host: Host, remarks: list[Remark]) -> Iterator[Alternatives]:
    """The steps of a condition rule: one alternative for each line that can be expressed."""
    scope = scoping.predicate(stage.scope, host)
    found: list[Step] = []
    skipped: list[Step] = []
    for line in stage.filters:
        try:
            when = requests.predicate(line.when, scope, host)
            effect = _effect(line, stage, scope, host)
        except InexpressibleError as error:
            remarks.append(error.remark(line.where, line.text))
            continue
        if when is None:
            remarks.append(Remark(Verdict.INACTIVE, line.where, line.text, "no request can match it"))
            continue
        remarks += _remarks(line, stage, when, effect)
        if effect is not None:
            found.append(Step(when, effect, (line.where,)))
        elif stage.when_empty is WhenEmpty.SKIP_RULE:
            skipped.append(Step(when, _ALL, (line.where,)))
    for step in found:
        yield (*skipped, step)


def _effect(line: Filter, stage: ConditionStage, scope: Predicate, host: Host) -> Narrow | Refuse | None:
    """What a line does; None if it leaves no instance and is skipped therefore."""
    has_force = stage.when_empty is WhenEmpty.NONE
    if not line.choices:
        return Refuse(403) if stage.denies else None
    each_labels = [(each.weight, instances.labels(each.tests, scope, host)) for each in line.choices]
    choices = [(weight, labels) for weight, labels in each_labels if labels is not None]
    if not choices:
        return Refuse(503) if has_force else None
    if len(choices) == 1:
        labels = choices[0][1]
        if has_force:
            return Narrow((Branch(1, labels),))
        return Narrow((Branch(1, (), tuple([f"{key}={value}" for key, value in labels])),))
    branches = tuple([Branch(weight, labels) for weight, labels in choices])
    return Narrow(branches, skipped_if_none=not has_force)


def _remarks(
    line: Filter, stage: ConditionStage, when: Predicate, effect: Narrow | Refuse | None
) -> Iterator[Remark]:
    notes: list[tuple[Verdict, str]] = []
    if effect is None:
        why = "dubbo-go denies with force only" if not line.choices else "no instance can match it"
        rest = " and skips the rule for these requests" if stage.when_empty is WhenEmpty.SKIP_RULE else ""
        notes.append((Verdict.INACTIVE, f"{why}{rest}"))
    elif isinstance(effect, Refuse) and effect.status == 503:
        notes.append((Verdict.EXACT, "no instance can match it, so that with force these calls fail"))
    elif isinstance(effect, Narrow):
        wishes = effect.branches[0].prefer
        if wishes:
            notes.append((Verdict.APPROXIMATE, _SPILLS_OVER.format(wish=" and ".join(wishes))))
        if len(wishes) > 1:
            notes.append((Verdict.APPROXIMATE, "pods with only some of these labels are preferred to others"))
        if wishes and stage.when_empty is WhenEmpty.SKIP_RULE and len(stage.filters) > 1:
            notes.append((Verdict.APPROXIMATE, _SKIPS_RULE))
        if len(effect.branches) > 1:
            notes.append((Verdict.APPROXIMATE, _SHARE_OF_NONE))
            if stage.shares_off_by_one:
                notes += _weights(line.choices)
    if when.source_labels:
        callers = " and ".join(f"{key}={value}" for key, value in when.source_labels)
        notes.append((Verdict.EXACT, f"it relies on the label {callers} of callers' pods (sourceLabels)"))
    for verdict, why in notes or [(Verdict.EXACT, "")]:
        yield Remark(verdict, line.where, line.text, why)


def _weights(choices: tuple[Choice, ...]) -> Iterator[tuple[Verdict, str]]:
    total = sum(each.weight for each in choices)
    first = choices[0].weight
    if total:
        yield (
            Verdict.APPROXIMATE,
            f"Dubbo gives the first destination {first + 1} parts of {total}, and Istio gives it {first}",
        )
