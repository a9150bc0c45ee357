"""Runs mesh rules (MeshRuleRouter)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import Place, Test
from . import draws
from .matching import holds_for_request

if TYPE_CHECKING:
    from ..positions import Position
    from ..stages import MeshStage, MeshStep, MeshTarget
    from ..worlds import Request, World
    from . import Left, Outcomes


def run(stage: MeshStage, request: Request, world: World, left: Left, touched: list[Position]) -> Outcomes:
    """The outcomes of a rule for a request."""
    step = next((each for each in stage.steps if _holds(each, request)), None)
    if step is None:
        return {left: 1.0}
    touched.append(step.where)
    return {after or left: share for after, share in _drawn(step, world, left).items()}


def _holds(step: MeshStep, request: Request) -> bool:
    if step.needs_body:
        return False  # it is said to be unknown
    service = Test(Place("path"), step.services, (), if_absent=False)
    return all(holds_for_request(test, request) for test in (service, *step.when))


def _drawn(step: MeshStep, world: World, left: Left) -> Outcomes:
    """The outcomes of a draw: of the targets from the one drawn on, then of all, the first with instances."""
    found = [_instances(target, world, left) for target in step.targets]
    outcomes: Outcomes = {}
    for number, share in enumerate(draws.shares([each.weight for each in step.targets], off_by_one=True)):
        if share:
            chosen = next((each for each in (*found[number:], *found) if each), ())
            outcomes[chosen] = outcomes.get(chosen, 0.0) + share
    return outcomes or {(): 1.0}


def _instances(target: MeshTarget | None, world: World, left: Left) -> Left:
    while target is not None:
        labels = target.subset
        if labels is not None:
            kept = tuple(
                [
                    one
                    for one in left
                    if all(world.instances[one].params.get(key) == value for key, value in labels)
                ]
            )
            if kept:
                return kept
        target = target.fallback
    return ()
