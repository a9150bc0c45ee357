"""Routes that no request reaches, because one before them takes all that they would match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ..regex.matching import regex_matches
from ..request import Request
from ..unknown import Unknown
from ..values import EMPTY, Json, at, has, mapping, objects, text
from .conditions import conditions_hold
from .matching import candidates
from .paths import is_case_sensitive
from .strings import lower

_NO_MATTER = ("name", "match", "metadata", "decorator", "stat_prefix", "tracing")
"""What may differ between two routes that do the same."""

_MOST = 100
"""How many of the routes that match a path are compared with each other."""


def hidden_routes(virtual_host: Json, request: Request, runtime: Json = EMPTY) -> Iterator[tuple[Json, Json]]:
    """The routes that a request would match if others did not hide them, and for each what hides it.

    Routes that do the same as what hides them are left out.

    Args:
        virtual_host: the `VirtualHost` message.
        request: the request, as the connection manager passes it on.
        runtime: values of Envoy's runtime, by their keys.
    """
    before: list[Json] = []
    for route, _ in islice(candidates(virtual_host, request.path), _MOST):
        match = mapping(route, "match")
        if conditions_hold(match, request, runtime) is False:
            continue
        by = next((each for each in before if covers(mapping(each, "match"), match)), None)
        if by is not None and _effect(by) != _effect(route):
            yield route, by
        before.append(route)


def covers(one: Json, other: Json) -> bool:
    """Whether one `RouteMatch` is certain to match all requests that another one matches."""
    for key in ("headers", "query_parameters"):
        theirs = list(objects(other, key))
        if any(each not in theirs for each in objects(one, key)):
            return False
    for key in ("grpc", "tls_context", "dynamic_metadata", "filter_state"):
        if at(one, key) and at(one, key) != at(other, key):
            return False
    if has(one, "grpc") and not has(other, "grpc"):
        return False
    return not has(one, "runtime_fraction") and _covers_path(one, other)


def _covers_path(one: Json, other: Json) -> bool:
    if has(one, "safe_regex"):
        return _covers_by_regex(text(one, "safe_regex", "regex"), other)
    wanted = [text(one, kind) for kind in ("prefix", "path", "path_separated_prefix") if kind in one]
    if not wanted or "" in wanted:
        return wanted == [""] and "prefix" in one
    if wanted == ["/"] and "prefix" in one:
        return not has(other, "connect_matcher")
    if is_case_sensitive(one) and not is_case_sensitive(other):
        return False
    fold = str if is_case_sensitive(one) else lower
    mine = fold(wanted[0])
    for kind in ("prefix", "path", "path_separated_prefix"):
        if kind in other:
            return _covers_text(one, kind, mine, fold(text(other, kind)))
    return False


def _covers_text(one: Json, kind: str, mine: str, theirs: str) -> bool:
    if "prefix" in one:
        return theirs.startswith(mine)
    if "path" in one:
        return kind == "path" and theirs == mine
    return theirs.startswith(f"{mine}/") or (theirs == mine and kind != "prefix")


def _covers_by_regex(pattern: str, other: Json) -> bool:
    if "path" in other and is_case_sensitive(other):
        found = regex_matches(pattern, text(other, "path"))
        return not isinstance(found, Unknown) and found
    return text(other, "safe_regex", "regex") == pattern


def _effect(route: Json) -> Sequence[tuple[str, object]]:
    return sorted(
        ((key, value) for key, value in route.items() if key not in _NO_MATTER), key=lambda each: each[0]
    )
