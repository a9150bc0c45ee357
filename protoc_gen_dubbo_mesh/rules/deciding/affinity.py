"""Runs affinity rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .matching import holds_for_instance

if TYPE_CHECKING:
    from ..positions import Position
    from ..stages import AffinityStage
    from ..worlds import Request, World
    from . import Left, Outcomes


def run(
    stage: AffinityStage, request: Request, world: World, left: Left, touched: list[Position]
) -> Outcomes:
    """The outcome of a rule for a request."""
    touched.append(stage.where)
    near = tuple([one for one in left if holds_for_instance(stage.test, world.instances[one], request)])
    return {near if left and len(near) * 100 >= stage.ratio * len(left) else left: 1.0}
