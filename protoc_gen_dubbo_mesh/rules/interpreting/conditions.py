"""What condition rules mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Condition
from ..stages import (
    Argument,
    Attachment,
    Choice,
    ConditionStage,
    Constant,
    Filter,
    Glob,
    Method,
    Param,
    Place,
    Reference,
    Test,
    WhenEmpty,
)
from ..verdicts import Remark, Verdict
from .scopes import scope

if TYPE_CHECKING:
    from ..dialects import Dialect
    from ..model import ConditionRule, Term
    from ..stages import Pattern, Subject

_PLACES = {"host", "port", "address", "protocol", "path"}


def stage(
    rule: ConditionRule, dialect: Dialect, remarks: list[Remark], errors: list[str]
) -> ConditionStage | None:
    """The stage of a condition rule; None if it has no effect."""
    head = rule.header
    if head.enabled is not None and head.enabled.text != "true":
        remarks.append(
            Remark(Verdict.INACTIVE, head.enabled.where, "enabled: false", "skipped: enabled is false")
        )
        return None
    force = head.force is not None and head.force.text == "true"
    filters = [_filter(each, dialect) for each in rule.conditions if isinstance(each, Condition)]
    return ConditionStage(scope(head), tuple(filters), WhenEmpty.NONE if force else WhenEmpty.SKIP)


def _filter(condition: Condition, dialect: Dialect) -> Filter:
    then = tuple([_test(term, dialect, right=True) for term in condition.then])
    return Filter(
        when=tuple([_test(term, dialect, right=False) for term in condition.when]),
        choices=(Choice(then, 100, condition.where, condition.text),) if then else (),
        where=condition.where,
        text=condition.text,
    )


def _test(term: Term, dialect: Dialect, *, right: bool) -> Test:
    equal, unequal = (
        [_pattern(value, right=right) for value in values] for values in (term.equal, term.unequal)
    )
    if not equal and not unequal:
        equal = [Constant(holds=False)]
    absent = not term.equal and not dialect.unequal_needs_presence
    return Test(_subject(term.key, right=right), tuple(equal), tuple(unequal), absent)


def _subject(key: str, *, right: bool) -> Subject:
    if key in {"method", "methods"} and not right:
        return Method()
    if key in _PLACES:
        return Place(key)
    if key.startswith("attachments[") and key.endswith("]"):
        return Attachment(key[12:-1])
    if key.startswith("arguments[") and key.endswith("]"):
        return Argument(int(key[10:-1]))
    return Param(key)


def _pattern(value: str, *, right: bool) -> Pattern:
    if right and value.startswith("$"):
        return Reference(value[1:])
    prefix, star, suffix = value.rpartition("*")
    return Glob(prefix, star=True, suffix=suffix) if star else Glob(value)
