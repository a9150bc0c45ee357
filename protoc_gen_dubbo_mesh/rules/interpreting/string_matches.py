"""`{exact: east}` and such, as tests of values (StringMatch.isMatch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import Constant, Glob, Regex, Test

if TYPE_CHECKING:
    from ..model import StringMatch
    from ..stages import Pattern, Subject

_ORDER = ("exact", "prefix", "regex", "wildcard", "empty", "noempty")


def test(subject: Subject, match: StringMatch) -> Test:
    """What a match demands of a value. The first field counts, in the order in which Dubbo looks for them."""
    fields = dict(match.fields)
    kind = next((name for name in _ORDER if name in fields), None)
    if kind is None:
        return Test(subject, (Constant(holds=False),), (), if_absent=False)
    if kind == "noempty":
        return Test(subject, (), (Glob(""),), if_absent=False)
    return Test(subject, (_pattern(kind, fields[kind].text),), (), if_absent="empty" in fields)


def _pattern(kind: str, value: str) -> Pattern:
    match kind:
        case "exact":
            return Glob(value)
        case "prefix":
            return Glob(value, star=True)
        case "regex":
            return Regex(value)
        case "wildcard":
            return Glob("", star=True) if value == "*" else Glob(value)
        case _:
            return Glob("")
