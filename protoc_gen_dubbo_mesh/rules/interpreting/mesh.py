"""What mesh rules mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import scalars
from ..stages import (
    Attachment,
    Constant,
    Glob,
    MeshStage,
    MeshStep,
    MeshTarget,
    Method,
    Param,
    Scope,
    Test,
)
from ..verdicts import Remark, Verdict
from . import string_matches
from .headers import DroppedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..dialects import Dialect
    from ..model import MeshDestination, MeshMatch, MeshRoute, MeshRouting, MeshRule, StringMatch, Unknown
    from ..stages import Pattern, Subject

    Subsets = Mapping[str, tuple[tuple[str, str], ...]]

_BODY = frozenset(["argc", "args", "argp"])
_IN_BODY = "{name}: arguments are in the body, which Envoy does not look into to route"
_ADVICE = "send the value as metadata, and match attachments"
_HEADERS = (
    "Dubbo does not evaluate headers (a TODO in DubboMatchRequest), so this entry holds for every request, "
    "and is translated as such"
)
_IGNORED = "Dubbo ignores this key"
_UNDEFINED = "no DestinationRule has the subset {name}: no request goes there"


def stage(rule: MeshRule, dialect: Dialect, remarks: list[Remark]) -> MeshStage:
    """The stage of a mesh rule.

    Raises:
        DroppedError: it has no effect.
    """
    header = rule.header
    if not dialect.has_mesh:
        why = f"{dialect.release} has no router for mesh rules; Dubbo Java has one since 3.0"
        raise DroppedError(header.where, "mesh rule", why, is_error=False)
    subsets = {subset.name: subset.labels for subset in rule.subsets}
    used: set[str] = set()
    steps: list[MeshStep] = []
    for routing in rule.routings:
        steps += _steps(routing, subsets, used, remarks, dialect)
    for subset in rule.subsets:
        unused = "" if subset.name in used else "no route that takes requests names it"
        verdict = Verdict.INACTIVE if unused else Verdict.EXACT
        remarks.append(Remark(verdict, subset.where, f"subset {subset.name}", unused))
    name = rule.host or header.name or ""
    return MeshStage(Scope(None, None, None, name, name, header.where), tuple(steps))


def _steps(
    routing: MeshRouting, subsets: Subsets, used: set[str], remarks: list[Remark], dialect: Dialect
) -> Iterator[MeshStep]:
    services = tuple(
        [
            pattern
            for each in routing.services
            # One that must only not be empty holds for every service.
            for pattern in _test(Method(), each, dialect).equal or (Glob("", star=True),)
        ]
    )
    catches_all = False
    for route in routing.routes:
        if catches_all:
            why = "a route before it takes all requests"
            remarks.append(Remark(Verdict.INACTIVE, route.where, f"route {route.name}", why))
            continue
        step = _step(route, services, subsets, used, remarks, dialect)
        yield step
        catches_all = not step.when and not step.needs_body
    if not catches_all:
        # The first entry for a service counts: requests that no route of it takes go to all instances.
        yield MeshStep(services, (), (), "", routing.where)


def _step(
    route: MeshRoute,
    services: tuple[Pattern, ...],
    subsets: Subsets,
    used: set[str],
    remarks: list[Remark],
    dialect: Dialect,
) -> MeshStep:
    tests: list[Test] = []
    needs_body = False
    for match in route.match:
        tests += _tests(match, dialect)
        for part in match.unsupported:
            found = _unsupported(part)
            needs_body = needs_body or found.verdict is Verdict.CANNOT
            remarks.append(found)
    targets = tuple([_target(each, subsets, used, remarks) for each in route.route])
    return MeshStep(services, tuple(tests), targets, route.name, route.where, needs_body)


def _tests(match: MeshMatch, dialect: Dialect) -> Iterator[Test]:
    if match.method is not None:
        yield _test(Method(), match.method, dialect)
    for key, value in match.source_labels:
        yield Test(Param(key), (Glob(value),), (), if_absent=False)
    for key, wanted in match.attachments:
        yield _test(Attachment(key), wanted, dialect)
    for _ in match.tracing:
        # Nothing gives a tracing context unless a provider of it is installed: not even `empty` holds.
        yield Test(Method(), (Constant(holds=False),), (), if_absent=False)


def _test(subject: Subject, match: StringMatch, dialect: Dialect) -> Test:
    return string_matches.test(subject, match, is_go=False, has_wildcard=dialect.has_wildcard)


def _unsupported(part: Unknown) -> Remark:
    name = part.path.rpartition(".")[2]
    if name in _BODY:
        return Remark(Verdict.CANNOT, part.where, part.path, _IN_BODY.format(name=name), _ADVICE)
    why = _HEADERS if part.path == "headers" else _IGNORED
    return Remark(Verdict.INACTIVE, part.where, part.path, why)


def _target(
    destination: MeshDestination, subsets: Subsets, used: set[str], remarks: list[Remark]
) -> MeshTarget:
    name = destination.subset
    if name is not None:
        used.add(name)
    if name not in subsets:
        subject = f"subset {name}" if name else "destination"
        why = _UNDEFINED.format(name=name) if name else "without a subset, no request goes there"
        remarks.append(Remark(Verdict.INACTIVE, destination.where, subject, why))
    weight = scalars.java_integer(destination.weight)
    if destination.weight is not None and (weight is None or weight < 1):
        why = "a weight below 1 counts as 1 in Dubbo"
        remarks.append(
            Remark(Verdict.APPROXIMATE, destination.weight.where, f"weight: {destination.weight.text}", why)
        )
    return MeshTarget(
        subsets.get(name) if name is not None else None,
        name,
        max(weight or 0, 1),
        None if destination.fallback is None else _target(destination.fallback, subsets, used, remarks),
        destination.where,
    )
