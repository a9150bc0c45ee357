"""What a server is made of, and what it has opened on its way up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Protocol

from .._health.board import Board
from .._health.checks import Checker
from .listening import Listening
from .options import Plan
from .process import SharedProbes, SharedSidecar
from .traffic import Traffic


class Stoppable(Protocol):
    """A life that ends."""

    stopped: threading.Event

    def when_stopped(self, call: Callable[[], None]) -> Callable[[], None]:
        """Calls `call`, on any thread, at the end; returns a function that takes that back."""
        ...


class Core(Protocol):
    """grpc's server and its owner's hooks: what differs between threads and asyncio.

    Coroutines of the sync one never suspend: they block instead.

    Attributes:
        loop: the event loop that coroutine functions run on, once the server starts.
        owner: the server, as its owner has it; None once nobody has it any more.
    """

    loop: asyncio.AbstractEventLoop | None
    owner: Callable[[], Any]

    async def start(self, ended: Callable[[], None]) -> None:
        """Starts grpc's server. `ended` is called when the event loop ends while the server runs."""

    async def run_blocking(self, work: Callable[[], None]) -> None:
        """Waits for `work`, which blocks."""

    async def wait_stopped(self, life: Stoppable) -> None:
        """Waits until the server has stopped."""

    async def run_on_start(self) -> None:
        """Runs the owner's hook."""

    def run_on_drain(self) -> None:
        """Runs the owner's hook to its end, on the thread that this is called on."""

    def stop(self, grace: float) -> Callable[[float], bool]:
        """Stops grpc's server, which has been started, from another thread.

        Returns:
            A function that waits so many seconds at most, and returns whether the server has stopped.
        """
        ...

    def discard(self) -> Callable[[float], bool]:
        """Starts grpc's server and stops it at once: grpc lets go of its ports in no other way."""
        ...

    def close(self) -> None:
        """Lets threads end that have served the server."""


class Parts:
    """What a server is made of. What it has opened is None, or False, until then and after it is closed.

    Attributes:
        plan: how the server comes up and goes down.
        board: its health.
        traffic: how its handlers are to treat calls.
        core: grpc's server and the hooks.
        listening: where it listens.
        reflection: whether it serves reflection.
        sidecar, probes, checker: what it has opened.
        core_is_started: whether grpc's server has been started.
    """

    def __init__(
        self,
        plan: Plan,
        board: Board,
        traffic: Traffic,
        core: Core,
        listening: Listening,
        *,
        reflection: bool,
    ) -> None:
        self.plan = plan
        self.board = board
        self.traffic = traffic
        self.core = core
        self.listening = listening
        self.reflection = reflection
        self.sidecar: SharedSidecar | None = None
        self.probes: SharedProbes | None = None
        self.checker: Checker | None = None
        self.core_is_started = False

    def sidecar_is_told(self) -> bool:
        """Whether the sidecar is there, and has taken what it was told last."""
        sidecar = self.sidecar  # another thread may let go of it
        return sidecar is not None and sidecar.link.took_what_it_was_told
