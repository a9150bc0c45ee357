"""Sets of values and predicates: intersection, implication, and the matches that Istio gets."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protoc_gen_dubbo_mesh.rules.expressing import decimals, predicates, ranges, values
from protoc_gen_dubbo_mesh.rules.expressing.matches import matches
from protoc_gen_dubbo_mesh.rules.expressing.steps import Integers, Predicate, Values
from protoc_gen_dubbo_mesh.rules.expressing.values import InexpressibleError, allows
from protoc_gen_dubbo_mesh.rules.resources import Match, StringMatch
from protoc_gen_dubbo_mesh.rules.stages import Glob, Range

TEXTS = ("a", "ab", "aba", "abba", "b", "bb", "ba", "a.b", "a+b", "12", "7", "007", "-3", "1000", "", "a*b")
_PARTS = st.sampled_from(["", "a", "b", "ab", "a.", "ba", "1"])
_GLOBS = st.one_of(
    st.sampled_from(TEXTS).map(Glob), st.builds(Glob, prefix=_PARTS, star=st.just(True), suffix=_PARTS)
)
_ENDS = st.sampled_from([None, 0, 3, 7, 10, 99, 1000])
_INTEGERS = st.builds(Integers, low=_ENDS, high=_ENDS).filter(
    lambda found: found.low is None or found.high is None or found.low <= found.high
)
_PATTERNS = st.lists(st.one_of(_GLOBS, _GLOBS, _INTEGERS), min_size=1, max_size=3).map(tuple)
_VALUES = st.builds(
    Values,
    allowed=st.one_of(st.none(), _PATTERNS),
    denied=st.one_of(st.just(()), _PATTERNS),
    required=st.booleans(),
)


def _has(found: Values | None, value: str | None) -> bool:
    if found is None:
        return False
    if value is None:
        return found.allowed is None and not found.required
    return allows(found, value)


@given(_VALUES, _VALUES)
def test_both_are_the_values_in_both(first: Values, second: Values) -> None:
    try:
        found = values.both(first, second)
    except InexpressibleError:
        assume(False)
    for value in (*TEXTS, None):
        assert _has(found, value) == (_has(first, value) and _has(second, value)), value


@given(_VALUES, _VALUES)
def test_what_is_implied_holds_wherever_the_other_does(first: Values, second: Values) -> None:
    if values.implies(first, second):
        assert all(_has(second, value) for value in (*TEXTS, None) if _has(first, value))


@given(_VALUES)
def test_a_header_is_matched_for_the_same_values(wanted: Values) -> None:
    (*found,) = matches(Predicate(headers=(("x", wanted),)))
    for value in (*TEXTS, None):
        if value is None and any(allows(Values((pattern,)), "") for pattern in wanted.denied):
            continue  # to withoutHeaders, a missing header is an empty one
        assert any(_matched(each, value) for each in found) == _has(wanted, value), value


def _matched(match: Match, value: str | None) -> bool:
    return all(value is not None and _holds(wanted, value) for _, wanted in match.headers) and not any(
        value is not None if wanted is None else _holds(wanted, value or "")
        for _, wanted in match.without_headers
    )


def _holds(wanted: StringMatch | None, value: str) -> bool:
    if wanted is None:
        return True
    if wanted.kind == "regex":
        return re.fullmatch(wanted.value, value) is not None
    return value.startswith(wanted.value) if wanted.kind == "prefix" else value == wanted.value


@pytest.mark.parametrize("signed", [False, True])
@given(
    low=st.one_of(st.none(), st.integers(-1200, 1200)), high=st.one_of(st.none(), st.integers(-1200, 1200))
)
def test_numbers_become_a_regular_expression(low: int | None, high: int | None, *, signed: bool) -> None:
    assume(low is None or high is None or low <= high)
    assume(signed or (low or 0) >= 0)
    assume(signed or high is None or high >= 0)
    integers = Integers(low, high, signed)
    pattern = re.compile(decimals.regex(integers), re.ASCII)
    for number in {*range(-30, 120), *range(995, 1010), -1200, 1200, low or 0, high or 0}:
        for text in {str(number), f"00{number}", f"+{number}", f"-0{number}"}:
            assert bool(pattern.fullmatch(text)) == integers.holds(text), text


_RANGES = st.builds(
    Range,
    low=st.sampled_from([None, -5, 0, 3, 10]),
    high=st.sampled_from([-1, 0, 7, 12, 2**31 - 1, 2**40]),
    word_is_zero=st.booleans(),
    otherwise=st.just(False),  # on the left side
)


@given(
    st.lists(_RANGES, min_size=1, max_size=3).filter(
        lambda found: len({each.word_is_zero for each in found}) == 1
    )
)
def test_ranges_hold_for_what_dubbo_holds_them_for(found: list[Range]) -> None:
    inside, outside = ranges.any_of(found), ranges.none_of(found, required=True)
    for value in (
        "0",
        "5",
        "007",
        "8",
        "12",
        "13",
        "-3",
        "-9",
        "+4",
        "word",
        "",
        "2147483648",
        "99999999999",
    ):
        wanted = any(each.holds(value) for each in found)
        assert _has(inside, value) == wanted, value
        assert _has(outside, value) != wanted, value


class TestAMethod:
    @pytest.mark.parametrize(
        ("pattern", "kind", "value"),
        [
            (Glob("find"), "exact", "/s.S/find"),
            (Glob("find", star=True), "prefix", "/s.S/find"),
            (Glob("a*b", star=True), "prefix", "/s.S/a*b"),
            (Glob("x", star=True, suffix="y"), "regex", r"/s\.S/x.*y"),
            (Glob("a", star=True, suffix="a"), "regex", r"/s\.S/(a.*a|a)"),
            (Glob("a+", star=True, suffix="$"), "regex", r"/s\.S/a\+.*\$"),
        ],
    )
    def test_of_a_service(self, pattern: Glob, kind: str, value: str) -> None:
        (match,) = matches(Predicate("s.S", Values((pattern,))))
        assert match.uri == StringMatch(kind, value)

    def test_of_any_service(self) -> None:
        (match,) = matches(Predicate(methods=predicates.exactly("echo")))
        assert match.uri == StringMatch("regex", "/[^/]+/echo")

    def test_may_be_one_of_several(self) -> None:
        found = matches(Predicate("s.S", Values((Glob("a"), Glob("b")))))
        assert [each.uri for each in found] == [
            StringMatch("exact", "/s.S/a"),
            StringMatch("exact", "/s.S/b"),
        ]

    def test_may_be_none_of_several(self) -> None:
        (match,) = matches(Predicate("s.S", Values(None, (Glob("a"), Glob("b")))))
        assert match.uri == StringMatch("prefix", "/s.S/")
        assert match.without_headers == ((":path", StringMatch("regex", r"/s\.S/(a|b)")),)

    def test_is_one_of_those_that_are_known(self) -> None:
        found = values.among(Values((Glob("find", star=True),)), ["find", "findAll", "place"])
        assert found == Values((Glob("find"), Glob("findAll")))
        assert values.among(Values((Glob("x", star=True),)), ["find"]) is None
        assert values.among(Values((Glob("", star=True),)), ["find"]) == values.ANY


def test_a_value_must_not_be_denied_and_demanded() -> None:
    every = Values(None, (values.EVERY,))
    assert values.both(every, Values(None, (), required=True)) is None
    assert matches(Predicate(headers=(("x", every),)))[0].without_headers == (("x", None),)
