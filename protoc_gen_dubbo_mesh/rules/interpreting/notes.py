"""What is said of conditions whatever becomes of them: traps in which Dubbo does not do what is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..model import SharedCondition
from ..scalars import java_integer
from ..verdicts import Remark, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..dialects import Dialect
    from ..model import Condition, Term

_KNOWN = ("method", "methods", "application", "host", "interface", "version", "group")
_PART_OF_ARGUMENT = re.compile(r"arguments\[[0-9]+\](.+)")
_WHOLE_ATTACHMENT = re.compile(r"attachments\[[a-zA-Z0-9_]+\]")

_DENIES = (
    "Java denies whatever force says; dubbo-go denies only with force: true, and reads force: false of v3.0 "
    "as enabled: false up to 3.3.2"
)
_ABSENT = (
    "since Dubbo 3.2, !=, too, leaves out instances without the parameter, against the documentation; up to "
    "3.1 they stay"
)
_WORD = "Java counts a word as 0, so that {value} holds for it, too"
_NO_END_LEFT = (
    "{value} has no end: it never matches a request in Java, although it is documented; it does in dubbo-go"
)
_NO_END_RIGHT = "{value} has no end: it holds for every instance in Java, although it is documented otherwise"
_NO_RANGES = "{release} knows no ranges: {value} is text"
_CASE = "{key} is a parameter that no consumer has, so it never matches: names are case-sensitive"
_NO_VALUE = "{key} has no value, so it never matches"
_PART = "Dubbo ignores {part} and compares the whole argument"
_NO_ATTACHMENT = (
    "Dubbo cannot read {key}, and never finds it: only letters, digits and _ are read within the brackets"
)
_WEIGHT = "a weight of 0 or less counts as 100 in Dubbo, and is written as 100: in Istio, 0 would be off"
_NO_ATTACHMENTS = "{release} knows no attachments: {key} is a parameter that no consumer has"


def of_condition(
    condition: Condition | SharedCondition, dialect: Dialect, *, force: bool
) -> Iterator[Remark]:
    """What is said of a condition.

    Args:
        condition: the condition.
        dialect: the version of Dubbo.
        force: whether its rule has `force: true`.
    """
    if isinstance(condition, SharedCondition):
        rights = [term for each in condition.to for term in each.then]
        denies = not condition.to
        yield from _weights(condition)
    else:
        rights = [*condition.then]
        denies = not condition.then
    found = [*_left(condition.when, dialect), *_right(rights, dialect)]
    if denies and not force and not dialect.deny_needs_force:
        found.append((Verdict.EXACT, _DENIES))
    for verdict, why in dict.fromkeys(found):
        yield Remark(verdict, condition.where, condition.text, why)


def _weights(condition: SharedCondition) -> Iterator[Remark]:
    for each in condition.to:
        weight = java_integer(each.weight)
        if each.weight is not None and weight is not None and weight <= 0:
            text = f"weight: {each.weight.text}"
            yield Remark(Verdict.APPROXIMATE, each.weight.where, text, _WEIGHT)


def _left(terms: Iterable[Term], dialect: Dialect) -> Iterator[tuple[Verdict, str]]:
    for term in terms:
        key = term.key
        part = _PART_OF_ARGUMENT.fullmatch(key)
        only_unequal = bool(term.unequal) and not term.equal
        if not term.equal and not term.unequal:
            yield Verdict.INACTIVE, _NO_VALUE.format(key=key)
        elif key not in _KNOWN and key.lower() in _KNOWN:
            yield Verdict.INACTIVE, _CASE.format(key=key)
        elif part is not None:
            yield Verdict.EXACT, _PART.format(part=part[1])
        elif key.startswith("attachments"):
            verdict = Verdict.EXACT if only_unequal else Verdict.INACTIVE
            if not dialect.has_attachments:
                yield verdict, _NO_ATTACHMENTS.format(key=key, release=dialect.release)
            elif not _WHOLE_ATTACHMENT.fullmatch(key):
                yield verdict, _NO_ATTACHMENT.format(key=key)
        for value in term.equal:
            if "~" not in value:
                continue
            if not dialect.has_ranges:
                yield Verdict.EXACT, _NO_RANGES.format(release=dialect.release, value=value)
            elif value.endswith("~") and not dialect.open_range_works:
                verdict = Verdict.INACTIVE if len(term.equal) == 1 else Verdict.EXACT
                yield verdict, _NO_END_LEFT.format(value=value)
            elif dialect.word_in_range_is_zero and _holds_zero(value):
                yield Verdict.EXACT, _WORD.format(value=value)


def _right(terms: Iterable[Term], dialect: Dialect) -> Iterator[tuple[Verdict, str]]:
    for term in terms:
        if term.unequal and not term.equal and dialect.unequal_needs_presence:
            yield Verdict.EXACT, _ABSENT
        for value in term.equal:
            if "~" in value and not dialect.has_ranges:
                yield Verdict.EXACT, _NO_RANGES.format(release=dialect.release, value=value)
            elif value.endswith("~") and dialect.has_ranges and not dialect.open_range_works:
                yield Verdict.EXACT, _NO_END_RIGHT.format(value=value)


def _holds_zero(value: str) -> bool:
    """Whether 0 is in a range; ends that are no numbers count as 0, too."""
    low, _, high = value.partition("~")
    return bool(high) and not (low.isascii() and low.isdigit() and int(low) > 0)
