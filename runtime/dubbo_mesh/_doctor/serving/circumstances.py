"""What checks of servers and calls on trial have to go by."""

from __future__ import annotations

from dataclasses import dataclass

from ..._addressing.environment import Environment
from ..budget import Budget
from ..envoy.configuration.snapshot import Snapshot
from ..examination import Examination
from .own import Targets


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What checks of servers and calls on trial have to go by.

    Attributes:
        examination: what the command line asks for.
        environment: of this process.
        targets: what the command line names.
        snapshot: the sidecar's configuration; None if it is not known.
        budget: the time that is left.
    """

    examination: Examination
    environment: Environment
    targets: Targets
    snapshot: Snapshot | None
    budget: Budget
