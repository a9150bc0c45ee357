"""Which route of a virtual host a request matches: the first one, as Envoy tries them one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..identity import remembered
from ..request import Request
from ..unknown import Unknown, Verdict, every
from ..values import EMPTY, Json, has, mapping, objects, text
from .conditions import conditions_hold
from .paths import PathMatcher, exact_path, path_matcher, plain_prefix, without_query


class Taken(NamedTuple):
    """A route that a request may take.

    Attributes:
        message: the `Route` message.
        certain: whether the request takes it for certain, if it takes none of those before.
        doubt: what that depends on; empty if it is certain.
    """

    message: Json
    certain: bool
    doubt: str = ""


class _Table(NamedTuple):
    """The routes of a virtual host.

    Attributes:
        routes: all of them.
        exact: those that match one path only, by that path: the indexes of their routes.
        prefixes: those that match all paths with a prefix.
        others: the rest.
    """

    routes: Sequence[Json]
    exact: dict[str, list[int]]
    prefixes: Sequence[tuple[int, str]]
    others: Sequence[tuple[int, PathMatcher]]


def routes_of(virtual_host: Json, request: Request, runtime: Json = EMPTY) -> Iterator[Taken]:
    """The routes that a request may take.

    There are several only if something decides that is not in the request, such as a share of the traffic.
    The last one is certain, unless a request may match none.

    Args:
        virtual_host: the `VirtualHost` message.
        request: the request, as the connection manager passes it on.
        runtime: values of Envoy's runtime, by their keys.
    """
    if has(virtual_host, "matcher"):
        return
    for route, path_verdict in candidates(virtual_host, request.path):
        verdict = every((path_verdict, conditions_hold(mapping(route, "match"), request, runtime)))
        if isinstance(verdict, Unknown):
            yield Taken(route, certain=False, doubt=verdict.why)
        elif verdict:
            yield Taken(route, certain=True)
            return


def unknown_routes(virtual_host: Json) -> Unknown | None:
    """Why the routes of a virtual host cannot be known; None if they can."""
    if has(virtual_host, "matcher"):
        return Unknown(f"virtual host {text(virtual_host, 'name')} chooses routes by a matcher")
    return None


def redirects_to_https(virtual_host: Json, *, internal: bool) -> bool:
    """Whether the virtual host redirects requests in plaintext to HTTPS, whatever its routes are.

    Args:
        virtual_host: the `VirtualHost` message.
        internal: whether the requests are internal.
    """
    required = text(virtual_host, "require_tls")
    return required == "ALL" or (required == "EXTERNAL_ONLY" and not internal)


def candidates(virtual_host: Json, path: str) -> Iterator[tuple[Json, Verdict]]:
    """The routes that may match a path, in their order, and whether they do."""
    table = _table(virtual_host)
    bare = without_query(path)
    found: list[tuple[int, Verdict]] = [(index, True) for index in table.exact.get(bare, ())]
    found += [(index, True) for index, prefix in table.prefixes if bare.startswith(prefix)]
    for index, matcher in table.others:
        verdict = matcher(bare)
        if verdict is not False:
            found.append((index, verdict))
    for index, verdict in sorted(found, key=lambda each: each[0]):
        yield table.routes[index], verdict


@remembered
def _table(virtual_host: Json) -> _Table:
    routes = list(objects(virtual_host, "routes"))
    exact: dict[str, list[int]] = {}
    prefixes: list[tuple[int, str]] = []
    others: list[tuple[int, PathMatcher]] = []
    for index, route in enumerate(routes):
        match = mapping(route, "match")
        path, prefix = exact_path(match), plain_prefix(match)
        if prefix is not None:
            prefixes.append((index, prefix))
        elif path is not None:
            exact.setdefault(path, []).append(index)
        else:
            others.append((index, path_matcher(match)))
    return _Table(routes, exact, prefixes, others)
