"""What condition rules mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import scalars
from ..model import Condition, SharedCondition
from ..stages import Choice, ConditionStage, Constant, Filter, Param, Test, WhenEmpty
from ..verdicts import Remark, Verdict
from . import headers, notes, patterns
from .headers import DroppedError
from .scopes import scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..dialects import Dialect
    from ..model import ConditionRule, Destination, Header, Term

_DEFAULT_WEIGHT = 100
_UNKNOWN = "unknown to every released version of Dubbo, which ignores it: say what was meant"


def stage(
    rule: ConditionRule, dialect: Dialect, remarks: list[Remark], errors: list[str], crashes: list[str]
) -> ConditionStage | None:
    """The stage of a condition rule; None if it has no effect.

    Args:
        rule: the rule.
        dialect: the version of Dubbo.
        remarks: gains what is said of lines without an effect.
        errors: gains what Dubbo would log.
        crashes: gains why Dubbo would crash.
    """
    try:
        return _go_stage(rule, dialect, remarks) if dialect.is_go else _java_stage(rule, dialect, remarks)
    except DroppedError as dropped:
        remarks.append(dropped.remark)
        why = (
            dropped.why
            if dropped.why.startswith("skipped: ")
            else f"the whole rule has no effect: {dropped.why}"
        )
        remarks += [
            Remark(Verdict.INACTIVE, each.where, each.text, why)
            for each in rule.conditions
            if each.where != dropped.where
        ]
        if dropped.crashes:
            crashes.append(dropped.why)
        if dropped.is_error:
            errors.append(f"{dropped.where}: {dropped.why}")
        return None


def _java_stage(rule: ConditionRule, dialect: Dialect, remarks: list[Remark]) -> ConditionStage:
    header = rule.header
    headers.check_java(header, dialect)
    is_shared = headers.is_shared_in_java(header, dialect)
    if not rule.conditions:
        raise DroppedError(header.where, "conditions", "there are no conditions")
    if is_shared:
        _check_kind(rule, Condition, "a condition of v3.1 is a mapping of from and to: Java drops the rule")
    headers.check_enabled(header, enabled=scalars.java_true(header.enabled, default=True))
    _check_parsed(rule, "Java drops the rule")
    force = scalars.java_true(header.force, default=False)
    for each in rule.conditions:
        remarks += notes.of_condition(each, dialect, force=force)
    filters: list[Filter] = []
    for each in rule.conditions:
        if isinstance(each, Condition):
            filters.append(_filter(each, dialect))
        elif is_shared:
            remarks += _unknown(each)
            filters.append(_shared_filter(each, dialect))
        else:
            remarks.append(
                Remark(
                    Verdict.EXACT if force else Verdict.INACTIVE,
                    each.where,
                    each.text,
                    "a mapping is a condition of v3.1 only: here it is text, which matches no instance"
                    + ("; with force: true, no instance is left for any call" if force else ""),
                    "write configVersion: v3.1, which Dubbo knows since 3.3",
                )
            )
            filters.append(_nothing(each))
    when_empty = WhenEmpty.NONE if force else WhenEmpty.SKIP
    whose = scope(header)._replace(is_consumer=not dialect.provider_scope)
    return ConditionStage(whose, tuple(filters), when_empty, shares_off_by_one=True)


def _go_stage(rule: ConditionRule, dialect: Dialect, remarks: list[Remark]) -> ConditionStage:
    header = rule.header
    is_shared = headers.is_shared_in_go(header)
    force, enabled = headers.go_value("force", header.force), headers.go_value("enabled", header.enabled)
    headers.go_value("runtime", header.runtime)
    if is_shared:
        _check_kind(
            rule, Condition, "a condition of v3.1 is a mapping of from and to: dubbo-go drops the rule"
        )
        headers.check_enabled(header, enabled=bool(enabled))
        _check_parsed(rule, "dubbo-go drops the rule")
        shared = _distinct(each for each in rule.conditions if isinstance(each, SharedCondition))
        for each in shared:
            remarks += (*_unknown(each), *notes.of_condition(each, dialect, force=bool(force)))
        # Those that deny come first (multiplyConditionRoute.route), and deny without force, too.
        shared.sort(key=lambda each: bool(each.to))
        filters = [_shared_filter(each, dialect) for each in shared if each.to or each.text]
        when_empty = WhenEmpty.NONE if force else WhenEmpty.SKIP_RULE
        return ConditionStage(scope(header), tuple(filters), when_empty, shares_off_by_one=True, denies=True)
    _check_kind(rule, SharedCondition, "a mapping is a condition of v3.1 only: dubbo-go drops the rule")
    try:
        scalars.go_integer(header.priority)
    except ValueError:
        raise _bad_priority(header) from None
    if force is None or enabled is None:
        missing = "force" if force is None else "enabled"
        raise DroppedError(
            header.where,
            missing,
            f"{dialect.release} crashes: {missing} is missing, and it does not check for that",
            crashes=True,
        )
    if dialect.swaps_force_and_enabled:
        force, enabled = enabled, force
        if not enabled:
            assert header.force is not None
            raise DroppedError(
                header.force.where,
                f"force: {header.force.text}",
                f"{dialect.release} takes force for enabled, so that force: false switches the rule off",
                is_error=False,
            )
    headers.check_enabled(header, enabled=enabled)
    _check_parsed(rule, "dubbo-go drops the rule")
    for line in rule.conditions:
        remarks += notes.of_condition(line, dialect, force=force)
    filters = [_filter(each, dialect) for each in rule.conditions if isinstance(each, Condition)]
    when_empty = WhenEmpty.NONE if force else WhenEmpty.SKIP_RULE
    return ConditionStage(scope(header), tuple(filters), when_empty, denies=force)


def _check_kind(rule: ConditionRule, wrong: type[Condition | SharedCondition], why: str) -> None:
    for each in rule.conditions:
        if isinstance(each, wrong):
            raise DroppedError(each.where, each.text, why)


def _check_parsed(rule: ConditionRule, consequence: str) -> None:
    for each in rule.conditions:
        parts: list[Condition | SharedCondition | Destination] = [each]
        if isinstance(each, SharedCondition):
            parts += each.to
        for part in parts:
            if part.error:
                raise DroppedError(part.where, part.text, f"{part.error}: {consequence}")


def _bad_priority(header: Header) -> DroppedError:
    assert header.priority is not None
    text = header.priority.text
    return DroppedError(
        header.priority.where, f"priority: {text}", "priority is no integer: dubbo-go drops the rule"
    )


def _filter(condition: Condition, dialect: Dialect) -> Filter:
    then = _tests(condition.then, dialect, right=True)
    choices = (Choice(then, _DEFAULT_WEIGHT, condition.where, condition.text),) if then else ()
    return Filter(_tests(condition.when, dialect, right=False), choices, condition.where, condition.text)


def _shared_filter(condition: SharedCondition, dialect: Dialect) -> Filter:
    when = () if condition.text.strip() == "true" and not dialect.is_go else condition.when
    choices = tuple([_choice(each, dialect) for each in condition.to])
    text = f"{condition.text} => {', '.join(f'{each.text} ({each.weight})' for each in choices)}"
    return Filter(_tests(when, dialect, right=False), choices, condition.where, text)


def _choice(destination: Destination, dialect: Dialect) -> Choice:
    then = () if destination.text.strip() == "false" and not dialect.is_go else destination.then
    value = destination.weight
    weight = scalars.java_integer(value)
    if weight is None:
        assert value is not None
        release = "dubbo-go" if dialect.is_go else "Java"
        raise DroppedError(
            value.where, f"weight: {value.text}", f"weight is no integer: {release} drops the rule"
        )
    if weight <= 0:
        weight = _DEFAULT_WEIGHT
    return Choice(_tests(then, dialect, right=True), weight, destination.where, destination.text)


def _nothing(condition: SharedCondition) -> Filter:
    """A mapping that is taken for text: all of it is the right side, with keys that no instance has."""
    test = Test(Param(condition.text), (Constant(holds=False),), (), if_absent=False)
    choice = Choice((test,), _DEFAULT_WEIGHT, condition.where, condition.text)
    return Filter((), (choice,), condition.where, condition.text)


def _tests(terms: Iterable[Term], dialect: Dialect, *, right: bool) -> tuple[Test, ...]:
    return tuple([patterns.test(term, dialect, right=right) for term in terms])


def _distinct(conditions: Iterable[SharedCondition]) -> list[SharedCondition]:
    """The conditions without repetitions (dubbo-go's removeDuplicates)."""
    found: dict[object, SharedCondition] = {}
    for each in conditions:
        to = tuple([(one.text, one.weight.text if one.weight else None) for one in each.to])
        found.setdefault((each.text, to), each)
    return list(found.values())


def _unknown(condition: SharedCondition) -> Iterator[Remark]:
    for each in condition.unknown:
        yield Remark(Verdict.INACTIVE, each.where, each.path, _UNKNOWN)
