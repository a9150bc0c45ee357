"""Envoy's `StringMatcher`."""

from __future__ import annotations

from ..regex.matching import regex_matches
from ..request import Beginning
from ..unknown import Unknown, Verdict
from ..values import Json, at, flag, has, text


def string_matches(matcher: Json, value: str | Beginning) -> Verdict:
    """Whether a value matches a `type.matcher.v3.StringMatcher`."""
    if has(matcher, "safe_regex"):
        return full_match(text(matcher, "safe_regex", "regex"), value)
    for kind in ("exact", "prefix", "suffix", "contains"):
        if isinstance(at(matcher, kind), str):
            return compare(kind, text(matcher, kind), value, ignore_case=flag(matcher, "ignore_case") is True)
    return Unknown("it has a string matcher of a kind that is not known")


def full_match(pattern: str, value: str | Beginning) -> Verdict:
    """Whether the whole of a value matches a regular expression of RE2's syntax."""
    if isinstance(value, Beginning):
        return Unknown("the whole value is not known")
    return regex_matches(pattern, value)


def compare(kind: str, wanted: str, value: str | Beginning, *, ignore_case: bool = False) -> Verdict:
    """Whether a value is, begins with, ends with or contains a text.

    Args:
        kind: `exact`, `prefix`, `suffix` or `contains`.
        wanted: the text.
        value: the value.
        ignore_case: whether the case of ASCII letters does not matter.
    """
    known = value.text if isinstance(value, Beginning) else value
    if ignore_case:
        wanted, known = lower(wanted), lower(known)
    if isinstance(value, Beginning):
        return _compare_beginning(kind, wanted, known)
    if kind == "exact":
        return known == wanted
    if kind == "prefix":
        return known.startswith(wanted)
    return known.endswith(wanted) if kind == "suffix" else wanted in known


def _compare_beginning(kind: str, wanted: str, beginning: str) -> Verdict:
    if (kind == "prefix" and beginning.startswith(wanted)) or (kind == "contains" and wanted in beginning):
        return True
    if wanted == "" and kind != "exact":
        return True
    if kind in ("exact", "prefix") and not wanted.startswith(beginning):
        return False
    return Unknown("the whole value is not known")


_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def lower(value: str) -> str:
    """The text with ASCII letters in lower case, and all others as they are."""
    return value.translate(_UPPER)
