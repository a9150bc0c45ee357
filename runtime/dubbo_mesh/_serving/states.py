"""The states of a server's life, and what leads from one to the next. Sync and async servers share them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType


class State(Enum):
    """Where a server is in its life."""

    NEW = auto()
    """Made; listens on nothing unless its owner has added a port."""

    STARTING = auto()
    """Listens and holds calls until the sidecar is there, and `on_start` and the health checks have run."""

    SERVING = auto()
    """Takes calls, and everyone has been told so."""

    DRAINING = auto()
    """Takes calls and tells everyone to go elsewhere."""

    STOPPING = auto()
    """Takes no more calls; those that run have their grace."""

    STOPPED = auto()
    """Has left nothing behind: no port, no thread, no probe."""


class Event(Enum):
    """What happens to a server."""

    START = auto()
    """`start()` was called."""

    UP = auto()
    """All that has to happen before the server may serve has happened."""

    DRAIN = auto()
    """`drain()` was called, a signal came, or a `with` block ended."""

    STOP = auto()
    """`stop()` was called, the start failed, or a second signal came."""

    QUIET = auto()
    """Traffic has gone elsewhere, or has had its time to."""

    ENDED = auto()
    """Everything that the server had is released."""


TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (State.NEW, Event.START): State.STARTING,
        (State.NEW, Event.DRAIN): State.STOPPING,
        (State.NEW, Event.STOP): State.STOPPING,
        (State.STARTING, Event.UP): State.SERVING,
        (State.STARTING, Event.DRAIN): State.STOPPING,  # nobody has been sent here yet
        (State.STARTING, Event.STOP): State.STOPPING,
        (State.SERVING, Event.DRAIN): State.DRAINING,
        (State.SERVING, Event.STOP): State.STOPPING,
        (State.DRAINING, Event.STOP): State.STOPPING,
        (State.DRAINING, Event.QUIET): State.STOPPING,
        (State.STOPPING, Event.ENDED): State.STOPPED,
    }
)
"""All changes of state. Whatever is not listed changes nothing: draining twice is draining once."""


def next_state(state: State, event: Event) -> State:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)
