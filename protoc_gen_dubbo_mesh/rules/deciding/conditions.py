"""Runs condition rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import WhenEmpty
from .matching import holds_for_instance, holds_for_request

if TYPE_CHECKING:
    from ..positions import Position
    from ..stages import ConditionStage
    from ..worlds import Request, World
    from . import Left, Outcomes


def run(
    stage: ConditionStage, request: Request, world: World, left: Left, touched: list[Position]
) -> Outcomes:
    """The outcomes of a rule for a request; `touched` gains the lines whose conditions held."""
    for each in stage.filters:
        if not all(holds_for_request(test, request) for test in each.when):
            continue
        touched.append(each.where)
        if not each.choices:
            return {(): 1.0}
        kept = tuple(
            [
                one
                for one in left
                if all(
                    holds_for_instance(test, world.instances[one], request) for test in each.choices[0].tests
                )
            ]
        )
        if kept or stage.when_empty is WhenEmpty.NONE:
            left = kept
    return {left: 1.0}
