"""Terms of conditions as tests of values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..stages import Argument, Attachment, Constant, Glob, Method, Param, Place, Range, Reference, Test

if TYPE_CHECKING:
    from ..dialects import Dialect
    from ..model import Term
    from ..stages import Pattern, Subject

_PLACES = frozenset(["host", "port", "address", "protocol", "path", "/path", "/port"])
_GO_LEFT = {"address": "", "path": "/path", "port": "/port"}
_GO_RIGHT = {**_GO_LEFT, "port": "port", "application": "remote.application", "remote.application": ""}
"""Keys of dubbo-go's URLs by ours: no address, a path with a slash, port 0, instances' own application."""

_ARGUMENT = re.compile(r"arguments\[([0-9]+)\]")
_ATTACHMENT = re.compile(r"attachments\[([a-zA-Z0-9_]+)\]")
_NEVER = Constant(holds=False)
_ALWAYS = Constant(holds=True)


def test(term: Term, dialect: Dialect, *, right: bool) -> Test:
    """What a term demands of a request, or, on the right side, of an instance."""
    subject = _subject(term.key, dialect, right=right)
    equal = [pattern(value, dialect, right=right) for value in term.equal]
    unequal = [pattern(value, dialect, right=right) for value in term.unequal]
    absent = not term.equal and not dialect.unequal_needs_presence
    if not equal and not unequal:
        equal = [_NEVER]
    if isinstance(subject, Argument) and not dialect.unequal_needs_presence:
        absent = False  # matchArguments of 2.7
    return Test(subject, tuple(equal), tuple(unequal), absent, dialect.empty_is_absent)


def pattern(value: str, dialect: Dialect, *, right: bool) -> Pattern:
    """A value of a term: a range, a reference or a glob."""
    if dialect.has_ranges and "~" in value:
        return _range(value, dialect, right=right)
    if right and value.startswith("$"):
        return Reference(value[1:])
    return glob(value)


def glob(value: str) -> Glob:
    """Text in which the last `*` is a wildcard (UrlUtils.isMatchGlobPattern)."""
    prefix, star, suffix = value.rpartition("*")
    return Glob(prefix, star=True, suffix=suffix) if star else Glob(value)


def _subject(key: str, dialect: Dialect, *, right: bool) -> Subject:
    if key in {"method", "methods"} and not right:
        return Method()
    if key.startswith("arguments"):
        found = _ARGUMENT.search(key)
        return Argument(int(found[1]) if found else -1, dialect.not_found, dialect.crashes)
    if dialect.has_attachments and key.startswith("attachments"):
        found = _ATTACHMENT.search(key)
        return Attachment(found[1] if found else "", dialect.not_found)
    if dialect.is_go:
        key = (_GO_RIGHT if right else _GO_LEFT).get(key, key)
    return Place(key) if key in _PLACES else Param(key)


def _range(value: str, dialect: Dialect, *, right: bool) -> Pattern:
    """A range. What cannot be read as one holds for no request and for every instance (defaultValue)."""
    parts = value.split("~")
    if not dialect.is_go:  # String.split drops empty parts at the end
        while parts and not parts[-1]:
            parts.pop()
    otherwise = _ALWAYS if right else _NEVER
    if len(parts) < 2 or parts[:2] == ["", ""]:
        return otherwise
    bounds: list[int | None] = []
    for part in parts[:2]:
        number = _number(part, dialect)
        if number is None:
            return otherwise
        bounds.append(number if part else None)
    return Range(bounds[0], bounds[1], word_is_zero=dialect.word_in_range_is_zero, otherwise=right)


def _number(text: str, dialect: Dialect) -> int | None:
    """An end of a range: what is no number is 0 to Java (StringUtils.parseInteger), and an error to Go."""
    if not text:
        return 0
    if dialect.word_in_range_is_zero:
        return int(text) if text.isascii() and text.isdigit() else 0
    return int(text) if re.fullmatch(r"[-+]?[0-9]+", text) else None
