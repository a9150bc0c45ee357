"""Runs condition rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import WhenEmpty
from . import draws
from .matching import holds_for_instance, holds_for_request

if TYPE_CHECKING:
    from ..positions import Position
    from ..stages import ConditionStage, Filter
    from ..worlds import Request, World
    from . import Left, Outcomes


def run(
    stage: ConditionStage, request: Request, world: World, left: Left, touched: list[Position]
) -> Outcomes:
    """The outcomes of a rule for a request; `touched` gains the lines whose conditions held."""
    outcomes: Outcomes = {left: 1.0}
    for line in stage.filters:
        if not all(holds_for_request(test, request) for test in line.when):
            continue
        touched.append(line.where)
        after: Outcomes = {}
        for before, share in outcomes.items():
            for result, part in _apply(line, stage, request, world, before).items():
                after[result] = after.get(result, 0.0) + share * part
        outcomes = after
    if stage.when_empty is WhenEmpty.SKIP_RULE and () in outcomes and not _has_denied(stage, request):
        skipped = outcomes.pop(())  # first: an earlier rule may have left none
        outcomes[left] = outcomes.get(left, 0.0) + skipped
    return outcomes


def _apply(line: Filter, stage: ConditionStage, request: Request, world: World, before: Left) -> Outcomes:
    if not line.choices or not before:
        return {(): 1.0}
    found: list[tuple[int, Left]] = []
    for choice in line.choices:
        kept = tuple(
            [
                one
                for one in before
                if all(holds_for_instance(test, world.instances[one], request) for test in choice.tests)
            ]
        )
        if kept:
            found.append((choice.weight, kept))
    if not found:
        return {before: 1.0} if stage.when_empty is WhenEmpty.SKIP else {(): 1.0}
    return _drawn(found, off_by_one=stage.shares_off_by_one)


def _drawn(found: list[tuple[int, Left]], *, off_by_one: bool) -> Outcomes:
    outcomes: Outcomes = {}
    drawn = draws.shares([weight for weight, _ in found], off_by_one=off_by_one)
    for (_, left), share in zip(found, drawn, strict=True):
        if share:
            outcomes[left] = outcomes.get(left, 0.0) + share
    return outcomes


def _has_denied(stage: ConditionStage, request: Request) -> bool:
    """Whether a condition denies a request, which dubbo-go obeys without force in rules of v3.1."""
    return stage.denies and any(
        not line.choices and all(holds_for_request(test, request) for test in line.when)
        for line in stage.filters
    )
