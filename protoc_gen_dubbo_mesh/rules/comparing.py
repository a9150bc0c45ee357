"""Compares where Dubbo and Istio send a request, and says why they differ."""

from __future__ import annotations

from enum import StrEnum
from math import isclose
from typing import TYPE_CHECKING, NamedTuple

from .deciding import decide
from .expressing import express
from .interpreting import interpret
from .simulating import route_of, simulate
from .stages import ConditionStage, MeshStage, TagStage
from .verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .dialects import Dialect
    from .directory import Directory
    from .model import Rule
    from .positions import Position
    from .resources import HostFile, Translation
    from .stages import Interpretation, Scope, Stage
    from .verdicts import Remark
    from .worlds import Request, World

    Shares = Mapping[tuple[str, ...], float]
    """The possible outcomes, each with its probability."""

_ABSOLUTE = 1e-9
_STATIC_TAGS = (
    "in Dubbo, requests without a tag never go to instances with one of their own (dubbo.tag), also without "
    "a tag rule; in Istio they do, unless a tag rule is translated with --untagged"
)


class Agreement(StrEnum):
    """What becomes of a request in Istio."""

    SAME = "same"
    """It goes where Dubbo sends it."""
    APPROXIMATE = "approximate"
    """It may go elsewhere, as the remarks say."""
    CANNOT = "cannot"
    """A line that decides on it cannot be translated."""
    INACTIVE = "inactive"
    """The rules have no effect on it in this version of Dubbo."""


class Comparison(NamedTuple):
    """Both decisions on a request.

    Attributes:
        request: its name.
        dubbo: the outcomes in Dubbo.
        istio: those in Istio; None: a line cannot be translated, so there is no answer.
        verdict: what becomes of it.
        why: the lines that decided, and what is said of them.
    """

    request: str
    dubbo: Shares
    istio: Shares | None
    verdict: Agreement
    why: str


class Comparer:
    """Compares rules in a world.

    Args:
        rules: the rules.
        dialect: the version of Dubbo.
        world: the instances; its requests do not matter.
        directory: which application provides which service.
        dropped: why rules have no effect of which nothing is known, since their files are broken.
        by_key: whether rules for a service are only for the service that their key names. If there is but
            one rule, it counts whatever its key is, since Dubbo finds rules by other names (data ids), and
            so do rules for applications.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        dialect: Dialect,
        world: World,
        directory: Directory,
        dropped: str = "",
        *,
        by_key: bool,
    ) -> None:
        self._dropped = dropped
        interpretation = _whatever_their_keys(interpret(rules, dialect), world, by_key=by_key)
        self._interpretation = interpretation
        self._world = world
        self._directory = directory
        self._translation: Translation = express(interpretation, directory, dialect)
        self._remarks: dict[Position, list[Remark]] = {}
        for remark in self._translation.remarks:
            self._remarks.setdefault(remark.where, []).append(remark)

    @property
    def interpretation(self) -> Interpretation:
        """What the rules mean."""
        return self._interpretation

    @property
    def translation(self) -> Translation:
        """What they become."""
        return self._translation

    def compare(self, request: Request) -> Comparison:
        """Compares both decisions on a request."""
        stages = tuple([each for each in self._interpretation.stages if _is_for(each, request)])
        decision = decide(self._interpretation._replace(stages=stages), self._world, request)
        file = self._file(request)
        everybody = {tuple([each.name for each in self._world.instances]): 1.0}
        istio = everybody if file is None else simulate(file, self._world, request)
        route = None if file is None else route_of(file, request)
        touched = list(dict.fromkeys([*decision.touched, *(route.sources if route else ())]))
        remarks = [remark for where in touched for remark in self._remarks.get(where, ())]
        acts = any(map(_acts, stages)) or bool(self._interpretation.settings)
        if not acts and decision.shares == everybody:
            why = _said(self._translation.remarks, Verdict.INACTIVE) or self._dropped
            return Comparison(request.name, decision.shares, istio, Agreement.INACTIVE, why)
        if _agree(decision.shares, istio):
            why = f"decided by {_lines(touched)}" if touched else "no line is for this request"
            return Comparison(request.name, decision.shares, istio, Agreement.SAME, why)
        if decision.error:
            return Comparison(request.name, decision.shares, istio, Agreement.APPROXIMATE, decision.error)
        # What is said of the lines that decided explains it best.
        for said in (remarks, self._translation.remarks):
            cannot = _said(said, Verdict.CANNOT)
            if cannot:
                return Comparison(request.name, decision.shares, None, Agreement.CANNOT, cannot)
            differs = _said(said, Verdict.APPROXIMATE)
            if differs:
                return Comparison(request.name, decision.shares, istio, Agreement.APPROXIMATE, differs)
        why = f"differs, decided by {_lines(touched)}"
        if not touched:
            why = _STATIC_TAGS if _has_static_tags(stages) else "differs, although no line is for it"
        return Comparison(request.name, decision.shares, istio, Agreement.APPROXIMATE, why)

    def _file(self, request: Request) -> HostFile | None:
        host = self._directory.provider_of(request.service)
        if host is None:
            return None
        return next(
            (
                file
                for file in self._translation.hosts
                if (file.name, file.namespace) == (host.name, host.namespace)
            ),
            None,
        )


def by_instance(shares: Shares) -> dict[str, float]:
    """The share of each instance: what an outcome gets is spread evenly over its instances."""
    found: dict[str, float] = {}
    for names, share in shares.items():
        for name in names:
            found[name] = found.get(name, 0.0) + share / len(names)
    return found


def _agree(one: Shares, other: Shares) -> bool:
    first, second = by_instance(one), by_instance(other)
    return all(
        isclose(first.get(name, 0.0), second.get(name, 0.0), abs_tol=_ABSOLUTE) for name in {*first, *second}
    )


def _is_for(stage: Stage, request: Request) -> bool:
    scope = stage.scope
    return scope is None or scope.service is None or scope.service == request.service


def _has_static_tags(stages: Iterable[Stage]) -> bool:
    return any(isinstance(stage, TagStage) and stage.scope is None for stage in stages)


def _acts(stage: Stage) -> bool:
    """Whether a stage can have an effect on a request."""
    match stage:
        case ConditionStage(filters=filters):
            return bool(filters)
        case MeshStage(steps=steps):
            return bool(steps)
        case TagStage(scope=scope):
            return scope is not None
        case _:
            return True


def _whatever_their_keys(interpretation: Interpretation, world: World, *, by_key: bool) -> Interpretation:
    """Rules count whatever their keys are; with `by_key`, those for a service only for that one."""
    known = {world.service, *(request.service for request in world.requests)}

    def widened(scope: Scope) -> Scope:
        if scope.application is not None:
            return scope._replace(application=world.application, is_consumer=False)
        if not by_key and scope.service not in known:
            return scope._replace(service=world.service, version=None, group=None)
        return scope

    stages = [
        stage if stage.scope is None else stage._replace(scope=widened(stage.scope))
        for stage in interpretation.stages
    ]
    return interpretation._replace(stages=tuple(stages))


def _said(remarks: Iterable[Remark], verdict: Verdict) -> str:
    said = [
        f"{each.where}: {each.subject + ': ' if each.subject else ''}{each.why}"
        for each in remarks
        if each.verdict is verdict
    ]
    return "; ".join(dict.fromkeys(said))


def _lines(places: Iterable[Position]) -> str:
    return ", ".join(dict.fromkeys(map(str, places)))
