"""Sets of values: those of a method or a header for which something holds.

Text that begins and ends in a certain way (`Glob`) is closed under intersection, and so are ranges of
integers. What is both is not, in terms that Istio has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import Glob
from ..verdicts import Remark, Verdict
from .steps import Integers, Values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..positions import Position

    Pattern = Glob | Integers

ANY = Values()
"""All values, and none at all."""

EVERY = Glob("", star=True)
"""Every value that is present."""


class InexpressibleError(Exception):
    """Istio has no terms for something.

    Attributes:
        why: why it cannot be expressed.
        advice: what to do instead: what comes behind the last colon of the message; may be empty.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        why, _, advice = message.rpartition(": ")
        self.why, self.advice = (why, advice) if why else (advice, "")

    def remark(self, where: Position, subject: str) -> Remark:
        """What is said of a line that cannot be expressed."""
        return Remark(Verdict.CANNOT, where, subject, self.why, self.advice)


def allows(values: Values, value: str) -> bool:
    """Whether a value is among these."""
    if any(pattern.holds(value) for pattern in values.denied):
        return False
    return values.allowed is None or any(pattern.holds(value) for pattern in values.allowed)


def both(first: Values, second: Values) -> Values | None:
    """The values that are in both sets; None if there are none.

    Raises:
        InexpressibleError: Istio cannot express them.
    """
    if first == ANY or second == ANY:
        return second if first == ANY else first
    if first.allowed is None or second.allowed is None:
        allowed = second.allowed if first.allowed is None else first.allowed
    elif len(first.allowed) == 1 == len(second.allowed):  # by far the most frequent
        pattern = _both(first.allowed[0], second.allowed[0])
        if pattern is None:
            return None
        allowed = (pattern,)
    else:
        pairs = [_both(one, other) for one in first.allowed for other in second.allowed]
        allowed = tuple(dict.fromkeys(pattern for pattern in pairs if pattern is not None))
    if not first.denied and not second.denied and allowed is not None:
        return Values(allowed) if allowed else None
    denied = tuple(dict.fromkeys((*first.denied, *second.denied)))
    return _simplified(Values(allowed, denied, first.required or second.required))


def implies(first: Values, second: Values) -> bool:
    """Whether the first set is surely part of the second."""
    if second.required and first.allowed is None and not first.required:
        return False
    if second.allowed is not None and (
        first.allowed is None
        or not all(any(_covers(other, one) for other in second.allowed) for one in first.allowed)
    ):
        return False
    return all(_excludes(first, pattern) for pattern in second.denied)


def among(values: Values, known: Iterable[str]) -> Values | None:
    """The same values, if only the known ones exist; None if there are none.

    Of all known values, those are `ANY`.
    """
    names = tuple(known)
    if values.allowed and not values.denied and all(map(_is_exact, values.allowed)):
        exact = {each.prefix for each in values.allowed if isinstance(each, Glob)}
        left = [name for name in names if name in exact]  # quick, since rules may have thousands of these
    else:
        left = [name for name in names if allows(values, name)]
    if len(left) == len(names):
        return ANY
    return Values(tuple([Glob(name) for name in left])) if left else None


def _simplified(values: Values) -> Values | None:
    if values.allowed is None:
        if values.required and EVERY in values.denied:
            return None
        return values._replace(denied=_outermost(values.denied))
    allowed = [
        pattern for pattern in values.allowed if not any(_covers(denied, pattern) for denied in values.denied)
    ]
    if not allowed:
        return None
    denied = [
        denied
        for denied in values.denied
        if any(not _is_exact(pattern) and _overlap(denied, pattern) for pattern in allowed)
    ]
    return Values(tuple(allowed), tuple(denied), required=False)


def _outermost(patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    """The patterns without those that others cover. Long lists are not searched."""
    if not 1 < len(patterns) < 50:
        return patterns
    return tuple(
        [one for one in patterns if not any(other != one and _covers(other, one) for other in patterns)]
    )


def _both(first: Pattern, second: Pattern) -> Pattern | None:
    for one, other in ((first, second), (second, first)):
        if isinstance(one, Glob) and not one.star:
            return one if other.holds(one.prefix) else None
    if isinstance(first, Glob) and isinstance(second, Glob):
        if not (first.prefix.startswith(second.prefix) or second.prefix.startswith(first.prefix)):
            return None
        prefix = max(first.prefix, second.prefix, key=len)
        suffix = max(first.suffix, second.suffix, key=len)
        if not all(
            prefix.startswith(each.prefix) and suffix.endswith(each.suffix) for each in (first, second)
        ):
            return None
        return Glob(prefix, star=True, suffix=suffix)
    if isinstance(first, Integers) and isinstance(second, Integers):
        low = max((each.low for each in (first, second) if each.low is not None), default=None)
        high = min((each.high for each in (first, second) if each.high is not None), default=None)
        if low is not None and high is not None and low > high:
            return None
        return Integers(low, high, first.signed and second.signed)
    if EVERY in {first, second}:
        return first if second == EVERY else second
    raise InexpressibleError("a range and a pattern with * must both hold for the same value")


def _is_exact(pattern: Pattern) -> bool:
    return isinstance(pattern, Glob) and not pattern.star


def _covers(outer: Pattern, inner: Pattern) -> bool:
    """Whether the outer pattern surely holds wherever the inner one does."""
    if outer == inner:
        return True
    if isinstance(inner, Glob) and not inner.star:
        return outer.holds(inner.prefix)
    if isinstance(outer, Glob) and outer.star and isinstance(inner, Glob):
        return inner.prefix.startswith(outer.prefix) and inner.suffix.endswith(outer.suffix)
    if isinstance(outer, Integers) and isinstance(inner, Integers):
        return _both(outer, inner) == inner
    return outer == EVERY


def _overlap(first: Pattern, second: Pattern) -> bool:
    """Whether both may hold for the same value."""
    try:
        return _both(first, second) is not None
    except InexpressibleError:
        return True


def _excludes(values: Values, pattern: Pattern) -> bool:
    """Whether a pattern surely holds for none of these values."""
    if any(_covers(denied, pattern) for denied in values.denied):
        return True
    return values.allowed is not None and not any(_overlap(pattern, one) for one in values.allowed)
