"""What a route makes of the path and the `:authority` of requests."""

from __future__ import annotations

import re

from ..regex.matching import regex_matches
from ..request import Request
from ..values import flag, has, mapping, text
from .routes import Route


def new_path(route: Route, request: Request) -> str | None:
    """The path that the provider gets; None if it cannot be told."""
    action, match = mapping(route.message, "route"), mapping(route.message, "match")
    prefix = text(action, "prefix_rewrite")
    if prefix:
        for field in ("prefix", "path_separated_prefix", "path"):
            if field in match:
                return prefix + request.path[len(text(match, field)) :]
        return None
    if has(action, "regex_rewrite"):
        pattern = text(action, "regex_rewrite", "pattern", "regex")
        return _replaced(pattern, text(action, "regex_rewrite", "substitution"), request.path)
    return None if has(action, "path_rewrite_policy") or text(action, "path_rewrite") else request.path


def _replaced(pattern: str, substitution: str, path: str) -> str | None:
    """The path with what matches replaced; None if it cannot be told.

    Python's regular expressions take for ever with some patterns, but with none that repeats only once.
    """
    if regex_matches(f".*(?:{pattern}).*", path) is False:
        return path
    if sum(map(pattern.count, "*+?{")) > 1:
        return None
    try:
        return re.sub(pattern, substitution, path)
    except (re.error, RecursionError, OverflowError, IndexError):
        return None


def new_authority(route: Route, request: Request) -> str | None:
    """The `:authority` that the provider gets; None if it cannot be told."""
    action = mapping(route.message, "route")
    literal = text(action, "host_rewrite_literal") or text(action, "host_rewrite")
    if literal:
        return literal
    header = text(action, "host_rewrite_header").lower()
    if header:
        return request.headers.get(header) or request.authority
    unknown = has(action, "host_rewrite_path_regex") or flag(action, "auto_host_rewrite")
    return None if unknown else request.authority
