"""Draws by weight, as Dubbo makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def shares(weights: Sequence[int], *, off_by_one: bool) -> list[float]:
    """The probability of each weight: of a random number below the sum, the first that reaches it is drawn.

    Args:
        weights: all at least 1.
        off_by_one: whether a number that a weight just reaches counts for it, so that the first has one part
            more and the last one less (`target <= 0` in DestinationSet and MeshRuleRouter).
    """
    total = sum(weights)
    found: list[float] = []
    reached = 0
    for number, weight in enumerate(weights):
        end = min(reached + weight + (off_by_one and number == 0), total)
        found.append((end - reached) / total)
        reached = end
    return found
