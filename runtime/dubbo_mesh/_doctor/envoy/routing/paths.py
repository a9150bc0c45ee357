"""How routes match paths. The query is no part of the path there (`Router::PathMatcher`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from ..regex.matching import literal_beginning, regex_matches
from ..unknown import Unknown, Verdict
from ..values import Json, at, flag, has, mapping, text
from .strings import lower

PathMatcher: TypeAlias = Callable[[str], Verdict]
"""Says whether a path without its query matches."""

_TEMPLATE = "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"


def without_query(path: str) -> str:
    """The path without its query and fragment."""
    return re.split(r"[?#]", path, maxsplit=1)[0]


def exact_path(match: Json) -> str | None:
    """The only path that a `RouteMatch` matches; None if there may be more."""
    path = at(match, "path")
    return path if isinstance(path, str) and is_case_sensitive(match) else None


def plain_prefix(match: Json) -> str | None:
    """What all paths begin with that a `RouteMatch` matches, if it matches all such; else None."""
    prefix = at(match, "prefix")
    return prefix if isinstance(prefix, str) and is_case_sensitive(match) else None


def is_case_sensitive(match: Json) -> bool:
    """Whether a `RouteMatch` minds the case of paths."""
    return flag(match, "case_sensitive") is not False


def path_matcher(match: Json) -> PathMatcher:
    """What decides whether a path matches a `RouteMatch`."""
    fold = str if is_case_sensitive(match) else lower
    if isinstance(at(match, "prefix"), str):
        prefix = fold(text(match, "prefix"))
        return lambda path: fold(path).startswith(prefix)
    if isinstance(at(match, "path"), str):
        wanted = fold(text(match, "path"))
        return lambda path: fold(path) == wanted
    if isinstance(at(match, "path_separated_prefix"), str):
        separated = fold(text(match, "path_separated_prefix"))
        return lambda path: f"{fold(path)}/".startswith(f"{separated}/")
    if has(match, "safe_regex"):
        pattern = text(match, "safe_regex", "regex")
        beginning = literal_beginning(pattern)
        return lambda path: path.startswith(beginning) and regex_matches(pattern, path)
    if has(match, "connect_matcher"):
        return lambda _: False  # which is for CONNECT: calls are made by POST
    if text(match, "path_match_policy", "typed_config", "@type").endswith(_TEMPLATE):
        return _template(mapping(match, "path_match_policy", "typed_config"))
    return lambda _: Unknown("it matches paths in a way that is not known")


_SEGMENT = r"[a-zA-Z0-9\-._~%!$&'()+,;:@]"
_PARTS = re.compile(r"\{[A-Za-z0-9_]+=([^{}]*)\}|\{[A-Za-z0-9_]+\}|\*\*|\*|[^{}*]+")


def _template(policy: Json) -> PathMatcher:
    """Paths like `/package.Service/{method}`; `*` is a part of a path, and `**` any number of parts."""
    template = text(policy, "path_template")

    def expression(part: str, variable: str | None) -> str:
        if variable is not None:
            return "".join(expression(each[0], each[1]) for each in _PARTS.finditer(variable))
        if part == "**":
            return f"(?:{_SEGMENT[:-1]}/])*"
        if part == "*" or part.startswith("{"):
            return f"{_SEGMENT}+"
        return re.escape(part)

    pattern = "".join(expression(each[0], each[1]) for each in _PARTS.finditer(template))
    return lambda path: regex_matches(pattern, path)
