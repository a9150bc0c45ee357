"""Predicates as `match` of a VirtualService. Its regular expressions are RE2's and match all of a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..resources import Match, StringMatch
from ..stages import Glob
from . import decimals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .steps import Integers, Predicate, Values

_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def matches(predicate: Predicate) -> tuple[Match, ...]:
    """The entries of `match`, of which one must hold; none if every request matches."""
    if predicate == type(predicate)():
        return ()
    headers: list[tuple[str, StringMatch | None]] = []
    without: list[tuple[str, StringMatch | None]] = []
    if predicate.methods.denied:
        without.append((":path", _path(predicate.service, predicate.methods.denied)))
    for name, values in predicate.headers:
        if values.allowed is not None:
            headers.append((name, _values(values.allowed)))
        elif values.required:
            headers.append((name, None))
        if values.denied:
            without.append((name, _values(values.denied)))
    common = Match(None, tuple(headers), tuple(without), predicate.source_labels, predicate.port)
    return tuple([common._replace(uri=uri) for uri in _uris(predicate.service, predicate.methods)])


def quoted(text: str) -> str:
    """Text for a regular expression of RE2's."""
    return _SPECIAL.sub(r"\\\1", text)


def _uris(service: str | None, methods: Values) -> list[StringMatch | None]:
    if methods.allowed is None:
        return [None if service is None else StringMatch("prefix", f"/{service}/")]
    return [_path(service, (pattern,)) for pattern in methods.allowed]


def _path(service: str | None, methods: Iterable[Glob | Integers]) -> StringMatch:
    """A match of paths whose method is one of these."""
    patterns = list(methods)
    match patterns:
        case [Glob(name, False)] if service is not None:
            return StringMatch("exact", f"/{service}/{name}")
        case [Glob(prefix, True, "")] if service is not None:
            return StringMatch("prefix", f"/{service}/{prefix}")
        case _:
            before = "/[^/]+/" if service is None else quoted(f"/{service}/")
            return StringMatch("regex", before + _grouped([_regex(each) for each in patterns]))


def _values(patterns: Iterable[Glob | Integers]) -> StringMatch | None:
    """A match of a header's value; None if it only has to be there."""
    listed = list(patterns)
    match listed:
        case [Glob(value, False)]:
            return StringMatch("exact", value)
        case _ if Glob("", star=True) in listed:
            return None
        case [Glob(prefix, True, "")]:
            return StringMatch("prefix", prefix)
        case _:
            return StringMatch("regex", "|".join([_regex(each) for each in listed]))


def _regex(pattern: Glob | Integers) -> str:
    if not isinstance(pattern, Glob):
        return decimals.regex(pattern)
    if not pattern.star:
        return quoted(pattern.prefix)
    prefix, suffix = pattern.prefix, pattern.suffix
    # The end may overlap the beginning: a*a holds for a.
    overlapping = [
        prefix + suffix[size:]
        for size in range(1, min(len(prefix), len(suffix)) + 1)
        if prefix.endswith(suffix[:size])
    ]
    return "|".join([f"{quoted(prefix)}.*{quoted(suffix)}", *map(quoted, overlapping)])


def _grouped(parts: list[str]) -> str:
    regex = "|".join(parts)
    return f"({regex})" if "|" in regex else regex
