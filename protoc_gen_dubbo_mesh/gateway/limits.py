"""The limits of the Gateway API's standard channel: of names, durations, rules and matches.

They are in its resource definitions, the same for GRPCRoute and HTTPRoute (gateway-api 1.6,
config/crd/standard).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..mesh import durations
from .model import GRPC_ROUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..mesh.routing import Match, Route
    from ..policy.model import Duration, ServicePolicy
    from .model import Rule, RuleMatch

MOST_RULES = 16
MOST_MATCHES = 64
MOST_MATCHES_OF_ROUTE = 128
_LONGEST_NAME = 1024
_LONGEST_SHOWN = 60
_LONGEST_DURATION = 100_000 * 3600  # four parts of up to five digits; the largest unit is an hour


def check_length(kind: str, match: Match, services: Iterable[ServicePolicy]) -> None:
    """Checks that a route of this kind can have a match.

    Raises:
        GenerationError: it cannot, because names in the proto are too long.
    """
    service = match.path.split("/", 2)[1]
    what, name = ("service", service) if kind == GRPC_ROUTE else ("path", match.path)
    if len(name) > _LONGEST_NAME:
        raise GenerationError(
            f"{what} {name[:_LONGEST_SHOWN]}… has {len(name)} characters, and a match of a {kind} at most "
            f"{_LONGEST_NAME}: use shorter names",
            next(each.declaration.where for each in services if each.name == service),
        )


def timeout(value: Duration, route: Route) -> str:
    """A timeout as the API spells durations (GEP-2257).

    Raises:
        GenerationError: it has a fraction of a millisecond, or is too long.
    """
    if not durations.is_whole_milliseconds(value):
        limit = "in whole milliseconds"
    elif value >= _LONGEST_DURATION:
        limit = "below 100000h"
    else:
        return durations.kubernetes(value)
    rpc = route.rpcs[0]
    raise GenerationError(
        f"the timeout of rpc {rpc.full_name} must be {limit} for an HTTPRoute, not {value:.9g}s",
        rpc.where("timeout"),
    )


def split(rules: Iterable[Rule]) -> list[tuple[Rule, ...]]:
    """The rules of each route, as few routes as the limits allow."""
    routes: list[list[Rule]] = []
    matches = 0
    for rule in _short(rules):
        # Without matches, a rule has one by default.
        number = len(rule.matches) or 1
        if not routes or len(routes[-1]) == MOST_RULES or matches + number > MOST_MATCHES_OF_ROUTE:
            routes.append([])
            matches = 0
        routes[-1].append(rule)
        matches += number
    return [tuple(each) for each in routes]


def _short(rules: Iterable[Rule]) -> Iterator[Rule]:
    """The rules, each with no more matches than a rule may have."""
    for rule in rules:
        if len(rule.matches) <= MOST_MATCHES:
            yield rule
            continue
        for part in _parts(rule.matches):
            yield rule._replace(matches=part)


def _parts(matches: Sequence[RuleMatch]) -> Iterator[tuple[RuleMatch, ...]]:
    for start in range(0, len(matches), MOST_MATCHES):
        yield tuple(matches[start : start + MOST_MATCHES])
