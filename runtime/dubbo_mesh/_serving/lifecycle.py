"""The life of a server: its state, what others ask of it, and what happens to it. Both twins share it.

What may happen when is `states.TRANSITIONS`; `coming_up` and `going_down` do what each state asks for. Coming
up runs where `start()` was called. Going down runs on a thread of its own, which is there from the start, so
that it keeps its times whatever handlers, hooks or an event loop do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from .._contract.logs import logger
from .._health.board import WHOLE_SERVER
from .coming_up import ComingUp
from .going_down import GoingDown
from .parts import Parts
from .process import process
from .states import Event, State, next_state

_log = logger(__name__)

_LEAVING = (State.DRAINING, State.STOPPING, State.STOPPED)


class Lifecycle:
    """One server's life. Its methods may be called on any thread.

    Attributes:
        parts: what the server is made of.
        state: where it is in its life.
        stopped: set at the end of it.
        grace: seconds that running calls get to end.
        has_served: whether it has ever served.
        changed: held while any of the above change, and notified then.
        acquired: set when the start has opened what it opens, or will open nothing more.
        came_up: set when the start is over, however it went.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.state = State.NEW
        self.stopped = threading.Event()
        self.grace = parts.plan.grace
        self.has_served = False
        self.changed = threading.Condition()
        self.acquired = threading.Event()
        self.came_up = threading.Event()
        self._when_stopped: list[Callable[[], None]] = []

    # What others ask.

    @property
    def probes_port(self) -> int | None:
        """The port the probes are answered on; None where they are not."""
        return None if (probes := self.parts.probes) is None else probes.port

    @property
    def leaving(self) -> bool:
        """Whether the server has begun to go down."""
        return self.state in _LEAVING

    def is_starting(self) -> bool:
        """Whether a start is under way, even one that has been overtaken by a stop."""
        return self.state is not State.NEW and not self.came_up.is_set()

    def is_live(self) -> bool:
        """Whether the process is to be left running."""
        return self.state is not State.STOPPED

    def is_ready(self) -> bool:
        """Whether the pod is to get traffic."""
        return (
            self.state is State.SERVING
            and bool(self.parts.board.is_serving(WHOLE_SERVER))
            and not (self.parts.plan.require_sidecar and not self.parts.sidecar_is_told())
        )

    def is_started(self) -> bool:
        """Whether the server has come up."""
        return self.has_served

    def is_stopped(self) -> bool:
        """Whether the server has stopped."""
        return self.state is State.STOPPED

    # What happens to it.

    def begin(self) -> None:
        """Begins to start. `come_up` does the rest.

        Raises:
            RuntimeError: it has begun before, or no thread can be started.
        """
        with self.changed:
            if not self.move(Event.START):
                raise RuntimeError("a server is started once: make another one to serve again")
        try:
            self._start_thread()
        except BaseException:
            self.acquired.set()
            self.came_up.set()
            self.stop(0.0)
            self._go_down()
            raise

    async def come_up(self) -> None:
        """Does what has to be done before the server may serve, then serves.

        Returns early if the server is told to drain or stop meanwhile; then it has stopped.

        Raises:
            OSError: an address cannot be listened on.
            SidecarError: the sidecar is required and did not become ready in time.
            ConfigurationError: a setting is wrong.
        """
        coming_up = ComingUp(self.parts, self, self._interrupted)
        try:
            try:
                await coming_up.acquire()
            finally:
                self.acquired.set()
            await coming_up.prepare()
        except BaseException:
            self.came_up.set()
            self.stop(0.0)
            await self.parts.core.wait_stopped(self)
            raise
        self.came_up.set()
        if not self._serve():
            await self.parts.core.wait_stopped(self)

    def drain(self) -> None:
        """Begins to go down gently, unless that has begun; waits for nothing."""
        self._go(Event.DRAIN)

    def stop(self, grace: float) -> None:
        """Begins to go down without waiting for traffic to go elsewhere; waits for nothing.

        Args:
            grace: seconds that running calls get to end, instead of the plan's. Once the server is stopping
                it can only become less.
        """
        with self.changed:
            self.grace = min(self.grace, grace) if self.state is State.STOPPING else grace
        self._go(Event.STOP)

    def abandon(self) -> None:
        """Stops at once what has been started and nobody has any more."""
        if self.state not in (State.NEW, State.STOPPED):
            self.stop(0.0)

    def when_stopped(self, call: Callable[[], None]) -> Callable[[], None]:
        """Calls `call`, on any thread, once the server has stopped; at once if it has.

        Returns:
            A function that takes that back.
        """
        with self.changed:
            if not self.stopped.is_set():
                self._when_stopped.append(call)
                return lambda: self._forget(call)
        call()
        return lambda: None

    def _forget(self, call: Callable[[], None]) -> None:
        with self.changed, suppress(ValueError):
            self._when_stopped.remove(call)

    def _go(self, event: Event) -> None:
        with self.changed:
            was_new = self.state is State.NEW
            self.move(event)
            self.changed.notify_all()
        sidecar = self.parts.sidecar
        if sidecar is not None:
            sidecar.link.wake()
        if was_new:  # no start has begun, so there is no thread to do it
            self.acquired.set()
            self.came_up.set()
            try:
                self._start_thread()
            except RuntimeError:  # no thread can be started
                self._go_down()

    def move(self, event: Event) -> bool:
        """Changes the state, with the lock held; returns whether it has changed."""
        before, after = self.state, next_state(self.state, event)
        if after in _LEAVING:  # first, so that responses are marked once `draining` is true
            self.parts.traffic.leaving = True
        self.state = after
        return after is not before

    def _start_thread(self) -> None:
        threading.Thread(target=self._await_the_end, name="dubbo-mesh-life", daemon=True).start()

    def _interrupted(self) -> bool:
        return self.state is not State.STARTING

    def _serve(self) -> bool:
        """Tells everyone that the server serves; returns whether it does, nobody having stopped it."""
        with self.changed:
            if not self.move(Event.UP):
                return False
            self.has_served = True
            self.parts.board.serve(True)
            self.parts.traffic.release()
            if self.parts.sidecar is not None:
                self.parts.sidecar.serves(self)
        names = ", ".join(service.name for service in self.parts.board.services) or "no service"
        _log.info("serving %s on %s", names, self.parts.listening)
        return True

    def _await_the_end(self) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self.state in (State.DRAINING, State.STOPPING))
        self._go_down()

    def _go_down(self) -> None:
        GoingDown(self.parts, self).run()
        process.leave(self)
        with self.changed:
            self.move(Event.ENDED)
            self.stopped.set()
            calls, self._when_stopped = self._when_stopped, []
        for call in calls:
            with suppress(RuntimeError):  # of an event loop that is closed
                call()
