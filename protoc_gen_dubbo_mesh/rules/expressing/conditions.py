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

    from ...policy.model import Labels
    from ..directory import Host
    from ..stages import Choice, ConditionStage, Filter
    from .steps import Alternatives

_SPILLS_OVER = (
    "without force, pods with {wish} are preferred and others serve if there are none: Envoy also uses "
    "others if fewer than about 72 % of the preferred are healthy, and Dubbo does not"
)
_SHARE_OF_NONE = "if a destination has no pods, Dubbo sends its share to the others, and in Istio it fails"


def steps(stage: ConditionStage, host: Host, remarks: list[Remark]) -> Iterator[Alternatives]:
    """The steps of a condition rule: one alternative for each line that can be expressed."""
    scope = scoping.predicate(stage.scope, host)
    for line in stage.filters:
        try:
            when = requests.predicate(line.when, scope, host)
            effect = _effect(line, stage)
        except InexpressibleError as error:
            why, _, advice = str(error).rpartition(": ")
            remarks.append(
                Remark(Verdict.CANNOT, line.where, line.text, why or advice, advice if why else "")
            )
            continue
        if when is None:
            remarks.append(Remark(Verdict.INACTIVE, line.where, line.text, "no request can match it"))
            continue
        remarks += _remarks(line, stage, effect)
        yield (Step(when, effect, (line.where,)),)


def _effect(line: Filter, stage: ConditionStage) -> Narrow | Refuse:
    if not line.choices:
        return Refuse(403)
    if len(line.choices) == 1:
        labels = instances.labels(line.choices[0].tests)
        return Narrow((_branch(labels, stage),))
    return Narrow(tuple([Branch(each.weight, instances.labels(each.tests)) for each in line.choices]))


def _branch(labels: Labels, stage: ConditionStage) -> Branch:
    if stage.when_empty is WhenEmpty.NONE:
        return Branch(1, labels)
    return Branch(1, (), tuple([f"{key}={value}" for key, value in labels]))


def _remarks(line: Filter, stage: ConditionStage, effect: Narrow | Refuse) -> Iterator[Remark]:
    notes: list[tuple[Verdict, str]] = []
    if isinstance(effect, Narrow):
        wishes = effect.branches[0].prefer
        if wishes:
            notes.append((Verdict.APPROXIMATE, _SPILLS_OVER.format(wish=" and ".join(wishes))))
        if len(wishes) > 1:
            notes.append((Verdict.APPROXIMATE, "pods with only some of these labels are preferred to others"))
        if len(effect.branches) > 1:
            notes.append((Verdict.APPROXIMATE, _SHARE_OF_NONE))
            if stage.shares_off_by_one:
                notes += _weights(line.choices)
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
