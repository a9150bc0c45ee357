"""`{exact: east}` and such, as tests of values (StringMatch.isMatch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import Constant, Glob, Regex, Test

if TYPE_CHECKING:
    from ..model import StringMatch
    from ..stages import Pattern, Subject

_ORDER = ("exact", "prefix", "regex", "wildcard", "empty", "noempty")


def test(subject: Subject, match: StringMatch, *, is_go: bool, has_wildcard: bool) -> Test:
    """What a match demands of a value. The first field counts, in the order in which Dubbo looks for them.

    An absent value matches `empty` only, in Java also beside other fields. dubbo-go takes it for an empty
    one, and does not look at fields that are empty (common/match.go). Without `has_wildcard`, `wildcard` is
    an unknown key.
    """
    fields = dict(match.fields)
    if is_go:
        fields = {name: value for name, value in match.fields if value.text}
    if not has_wildcard:
        fields.pop("wildcard", None)
    kind = next((name for name in _ORDER if name in fields), None)
    if kind is None:
        return Test(subject, (Constant(holds=False),), (), if_absent=False)
    if kind == "noempty":
        return Test(subject, (), (Glob(""),), if_absent=False)
    if_absent = "empty" in fields
    if is_go and kind != "empty":
        if_absent = kind == "wildcard" and fields[kind].text == "*"
    return Test(subject, (_pattern(kind, fields[kind].text, is_go=is_go),), (), if_absent)


def _pattern(kind: str, value: str, *, is_go: bool) -> Pattern:
    match kind:
        case "exact":
            return Glob(value)
        case "prefix":
            return Glob(value, star=True)
        case "regex":
            return Regex(value, anywhere=is_go)
        case "wildcard":
            return Glob("", star=True) if value == "*" else Glob(value)
        case _:
            return Glob("")
