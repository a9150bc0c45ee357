"""Which route of a virtual host a request matches: the first one, as Envoy tries them one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .request import Request
from .values import Json, at, flag, mapping, objects, text


def routes_of(virtual_host: Json, request: Request) -> Iterator[tuple[Json, bool]]:
    """The `Route` messages that a request may take, and whether it takes that one for certain.

    There are several only if something decides that is not in the request, such as a share of the traffic.
    The last one is certain, unless a request may match none.
    """
    for route in objects(virtual_host, "routes"):
        certain = matches(mapping(route, "match"), request)
        if certain is False:
            continue
        yield route, certain is True
        if certain is True:
            return


def matches(match: Json, request: Request) -> bool | None:
    """Whether a request matches; None if that is not for the request alone to decide."""
    if not _path_matches(match, request.path):
        return False
    return all(_header_matches(each, request) for each in objects(match, "headers"))


def _path_matches(match: Json, path: str) -> bool:
    fold = str.lower if flag(match, "case_sensitive") is False else str
    if "path" in match:
        return fold(path) == fold(text(match, "path"))
    if "safe_regex" in match:
        return re.fullmatch(text(match, "safe_regex", "regex"), path) is not None
    return fold(path).startswith(fold(text(match, "prefix")))


def _header_matches(matcher: Json, request: Request) -> bool:
    value = request.headers.get(text(matcher, "name").lower())
    found = value is not None and (
        at(matcher, "string_match", "exact") is None or value == text(matcher, "string_match", "exact")
    )
    return found != (flag(matcher, "invert_match") or False)
