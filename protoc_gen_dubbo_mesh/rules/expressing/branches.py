"""Where requests go after several stages: the pods that all of them leave."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from .steps import Branch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LARGEST = 1_000_000
"""What weights may sum up to; Istio's are 32 bits wide."""


def narrowed(
    before: tuple[Branch, ...], after: tuple[Branch, ...], note: Callable[[str], None]
) -> tuple[Branch, ...]:
    """The pods of both, with their shares multiplied; none if there can be no such pod.

    Args:
        before: where requests went.
        after: what a later stage leaves.
        note: is told how Istio differs from Dubbo in this combination.
    """
    pairs = [_both(one, other, note) for one in before for other in after]
    found = [pair for pair in pairs if pair is not None]
    return _merged(found, reduced=len(before) > 1 and len(after) > 1) if found else ()


def _both(one: Branch, other: Branch, note: Callable[[str], None]) -> Branch | None:
    labels = dict(one.labels)
    if any(labels.setdefault(key, value) != value for key, value in other.labels):
        return None
    if one.prefer and set(other.labels) - set(one.labels):
        note(
            f"other lines prefer {' and '.join(one.prefer)}: Dubbo looks for those first, and leaves no "
            "instance if there are such, but none of them is among these"
        )
    prefer = _wishes(one.prefer, labels)
    wishes = _wishes(other.prefer, labels)
    if wishes is not None:  # otherwise Dubbo skips the line, since no instance is left
        held = {wish.partition("=")[0]: wish for wish in prefer or ()}
        for wish in wishes:
            key = wish.partition("=")[0]
            if held.get(key, wish) != wish:
                note(f"it is skipped for requests that other lines prefer {held[key]} for")
                break
        else:
            new = [wish for wish in wishes if wish not in held.values()]
            if new and prefer:
                note(f"if no pod has {prefer[0]}, Istio does not look for {new[-1]}, and Dubbo does")
            prefer = [*(prefer or ()), *new]
    return Branch(one.weight * other.weight, tuple(sorted(labels.items())), tuple(prefer or ()))


def _wishes(wishes: Iterable[str], labels: dict[str, str]) -> list[str] | None:
    """The wishes that are not yet fulfilled by labels; None if one of them cannot be."""
    left: list[str] = []
    for wish in wishes:
        key, _, value = wish.partition("=")
        if key not in labels:
            left.append(wish)
        elif value != labels[key] and "=" in wish:
            return None
    return left


def _merged(branches: list[Branch], *, reduced: bool) -> tuple[Branch, ...]:
    """Branches to the same pods become one; weights that were multiplied lose their common divisor."""
    weights: dict[Branch, int] = {}
    for branch in branches:
        key = branch._replace(weight=0)
        weights[key] = weights.get(key, 0) + branch.weight
    divisor = gcd(*weights.values()) if reduced else 1
    total = sum(weights.values()) // divisor
    scale = max(1, -(-total // _LARGEST)) * divisor
    return tuple([key._replace(weight=max(1, weight // scale)) for key, weight in weights.items()])
