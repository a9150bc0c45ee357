"""Which requests something is for: intersection and implication."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import Glob
from . import values
from .steps import Predicate, Values

if TYPE_CHECKING:
    from ...policy.model import Labels

EVERYTHING = Predicate()


def both(first: Predicate, second: Predicate) -> Predicate | None:
    """The requests for which both hold; None if there are none.

    Raises:
        InexpressibleError: Istio cannot express them.
    """
    if first is EVERYTHING or second is EVERYTHING:
        return second if first is EVERYTHING else first
    if first.service is not None and second.service is not None and first.service != second.service:
        return None
    if first.port is not None and second.port is not None and first.port != second.port:
        return None
    methods = values.both(first.methods, second.methods)
    headers = _headers(first, second)
    labels = _labels(first.source_labels, second.source_labels)
    if methods is None or headers is None or labels is None:
        return None
    return Predicate(first.service or second.service, methods, headers, labels, first.port or second.port)


def implies(first: Predicate, second: Predicate) -> bool:
    """Whether all requests of the first are surely among those of the second."""
    if second.service not in {None, first.service} or second.port not in {None, first.port}:
        return False
    held = dict(first.headers)
    return (
        values.implies(first.methods, second.methods)
        and all(values.implies(held.get(name, values.ANY), value) for name, value in second.headers)
        and set(second.source_labels) <= set(first.source_labels)
    )


def _headers(first: Predicate, second: Predicate) -> tuple[tuple[str, Values], ...] | None:
    if not first.headers or not second.headers:
        return first.headers or second.headers
    found = dict(first.headers)
    for name, value in second.headers:
        merged = values.both(found.get(name, values.ANY), value)
        if merged is None:
            return None
        found[name] = merged
    return tuple(sorted(found.items()))


def _labels(first: Labels, second: Labels) -> Labels | None:
    if not first or not second:
        return first or second
    found = dict(first)
    if any(found.setdefault(key, value) != value for key, value in second):
        return None
    return tuple(sorted(found.items()))


def exactly(value: str) -> Values:
    """Only this value."""
    return Values((Glob(value),))
