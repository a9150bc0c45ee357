"""Mesh rules as steps: the first route that matches counts, as in Istio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import Glob
from ..verdicts import Remark, Verdict
from . import instances, predicates, requests, scoping
from .steps import Branch, Narrow, Step
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..directory import Host
    from ..stages import MeshStage, MeshStep, MeshTarget, Pattern
    from .steps import Alternatives, Predicate

_EMPTY = "if no pod has {labels}, Dubbo sends the requests to all instances, and in Istio they fail"
_PREFER = "no pod has {labels} now, so that others serve, as in Dubbo; those with the labels are preferred"
_FALLBACK = "if no pod has {labels}, Dubbo uses the fallback, and in Istio the requests fail"
_DRAW = "Dubbo gives the first destination {one} parts of {total}, and Istio gives it {weight}"
_BODY = "its match needs arguments, which are in the body: requests go by the routes behind it"


def steps(stage: MeshStage, host: Host, remarks: list[Remark]) -> Iterator[Alternatives]:
    """The steps of a mesh rule, of which the first that matches counts."""
    found: list[Step] = []
    for step in stage.steps:
        try:
            found += _steps(step, stage, host, remarks)
        except InexpressibleError as error:
            remarks.append(error.remark(step.where, f"route {step.name}"))
    if found:
        yield tuple(found)


def _steps(step: MeshStep, stage: MeshStage, host: Host, remarks: list[Remark]) -> Iterator[Step]:
    subject = f"route {step.name}" if step.name else ""
    if step.needs_body:
        remarks.append(Remark(Verdict.CANNOT, step.where, subject, _BODY, "send the value as metadata"))
        return
    branches, notes = _branches(step, host)
    scopes = [
        scope
        for service in _services(step.services, host)
        if (scope := predicates.both(scoping.predicate(stage.scope, host), service)) is not None
    ]
    whens = [when for scope in scopes if (when := requests.predicate(step.when, scope, host)) is not None]
    if subject:
        if not whens:
            remarks.append(Remark(Verdict.INACTIVE, step.where, subject, "no request can match it"))
        remarks += [Remark(Verdict.APPROXIMATE, step.where, subject, note) for note in notes]
        if whens and not notes:
            remarks.append(Remark(Verdict.EXACT, step.where, subject))
    for when in whens:
        yield Step(when, Narrow(branches), (step.where,))


def _services(patterns: tuple[Pattern, ...], host: Host) -> list[Predicate]:
    """The services of a route: those that the host is known to have, or are named."""
    if not patterns:
        return [predicates.EVERYTHING]
    found: dict[str, None] = {}
    for pattern in patterns:
        match pattern:
            case Glob(name, False):
                found[name] = None
            case Glob():
                found |= dict.fromkeys(filter(pattern.holds, host.services))
            case _:
                raise InexpressibleError("services by a regular expression: name them")
    return [predicates.EVERYTHING._replace(service=name) for name in found]


def _branches(step: MeshStep, host: Host) -> tuple[tuple[Branch, ...], list[str]]:
    """Where the requests go, and how that differs."""
    targets = [target for target in map(_defined, step.targets) if target is not None]
    if not targets:
        return (Branch(1, ()),), []
    notes: list[str] = []
    branches: list[Branch] = []
    for target in targets:
        labels = tuple(sorted(target.subset or ()))
        for key, value in labels:
            if not instances.is_label(key, value):
                raise InexpressibleError(
                    f"{key}={value} cannot be a label of a pod: give these pods another one"
                )
        shown = ", ".join(f"{key}={value}" for key, value in labels)
        if len(targets) == 1 and host.instances and not _some(host, labels) and target.fallback is None:
            branches.append(Branch(1, (), tuple([f"{key}={value}" for key, value in labels])))
            notes.append(_PREFER.format(labels=shown))
            continue
        branches.append(Branch(target.weight, labels))
        if labels:
            notes.append((_EMPTY if target.fallback is None else _FALLBACK).format(labels=shown))
    if len(targets) > 1:
        total, weight = sum(each.weight for each in targets), targets[0].weight
        notes.append(_DRAW.format(one=weight + 1, total=total, weight=weight))
    return tuple(branches), notes


def _defined(target: MeshTarget) -> MeshTarget | None:
    """The target, or the fallback in place of one whose subset is not defined."""
    found: MeshTarget | None = target
    while found is not None and found.subset is None:
        found = found.fallback
    return None if found is None else found._replace(weight=target.weight)


def _some(host: Host, labels: tuple[tuple[str, str], ...]) -> bool:
    return any(all(one.params.get(key) == value for key, value in labels) for one in host.instances)
