"""Decides as Dubbo does: which instances are left for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import AffinityStage, ConditionStage, Decision, MeshStage, OpaqueStage, TagStage
from . import affinity, conditions, mesh, tags
from .matching import CrashError

if TYPE_CHECKING:
    from ..positions import Position
    from ..stages import Interpretation, Stage
    from ..worlds import Request, World

    Left = tuple[int, ...]
    """The instances that are left, as indices into the world's."""
    Outcomes = dict[Left, float]
    """What may be left, each with its probability."""


def decide(interpretation: Interpretation, world: World, request: Request) -> Decision:
    """Which instances are left for a request, with the probability of each outcome."""
    try:
        return _decide(interpretation, world, request)
    except CrashError as crash:
        return Decision({(): 1.0}, (), str(crash))


def _decide(interpretation: Interpretation, world: World, request: Request) -> Decision:
    if interpretation.crash:
        return Decision({(): 1.0}, (), interpretation.crash)
    outcomes: Outcomes = {tuple(range(len(world.instances))): 1.0}
    touched: list[Position] = []
    for stage in interpretation.stages:
        after: Outcomes = {}
        for before, share in outcomes.items():
            for left, part in _run(stage, request, world, before, touched).items():
                after[left] = after.get(left, 0.0) + share * part
        outcomes = after
    shares = {tuple([world.instances[each].name for each in left]): share for left, share in outcomes.items()}
    return Decision(shares, tuple(dict.fromkeys(touched)))


def _run(stage: Stage, request: Request, world: World, left: Left, touched: list[Position]) -> Outcomes:
    match stage:
        case ConditionStage():
            return conditions.run(stage, request, world, left, touched)
        case AffinityStage():
            return affinity.run(stage, request, world, left, touched)
        case MeshStage():
            return mesh.run(stage, request, world, left, touched)
        case OpaqueStage():
            touched.append(stage.where)
            return {left: 1.0}
        case TagStage():
            return {tags.run(stage, request, world, left, touched): 1.0}
