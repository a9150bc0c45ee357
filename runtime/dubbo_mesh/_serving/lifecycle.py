"""The life of a server: the steps up and down, in their order. Sync and async servers share it.

What may happen when is `states.TRANSITIONS`; this module does what each state asks for. Coming up runs where
`start()` was called. Going down runs on a thread of its own, which is there from the start: it keeps its
times whatever handlers, hooks or an event loop do, and each of its steps is bounded and goes ahead if the one
before it fails.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from .._contract.errors import ConfigurationError
from .._health.board import WHOLE_SERVER, Board
from .._health.checks import Checker
from .._sidecar.endpoint import SidecarError
from .listening import Listening
from .options import Plan
from .process import SharedProbes, SharedSidecar, process
from .states import Event, State, next_state
from .traffic import Traffic

_log = logging.getLogger(__name__)

_POLL = 0.05
"""Seconds between two looks whether the server has stopped, or is to stop sooner."""

_CUT_OFF = 1.0
"""Seconds that grpc gets to end calls that are cut off."""

_LOOK = 1.0
"""Seconds to find out whether there is a sidecar, where nothing but a default tells of one."""

_ACQUIRE = 5.0
"""Seconds that a server which is told to stop while it starts gets to finish opening what is then closed."""


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

    async def wait_stopped(self, life: Lifecycle) -> None:
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


class _Clock:
    """Seconds since something began, for the log."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __str__(self) -> str:
        return f"{time.monotonic() - self.began:.3f} s"


class Lifecycle:
    """One server's way up and down. Its methods may be called on any thread."""

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
        self.state = State.NEW
        self.stopped = threading.Event()
        self._traffic = traffic
        self._core = core
        self._listening = listening
        self._reflection = reflection
        self._changed = threading.Condition()
        self._grace = plan.grace
        self._has_served = False
        self._core_started = False
        self._acquired = threading.Event()  # all that a start opens is open, or will not be opened
        self._came_up = threading.Event()  # the start is over, however it went
        self._thread: threading.Thread | None = None
        self._sidecar: SharedSidecar | None = None
        self._probes: SharedProbes | None = None
        self._checker: Checker | None = None
        self._when_stopped: list[Callable[[], None]] = []

    # What others ask.

    @property
    def probes_port(self) -> int | None:
        """The port the probes are answered on; None where they are not."""
        return self._probes.port if self._probes is not None else None

    @property
    def leaving(self) -> bool:
        """Whether the server has begun to go down."""
        return self.state in (State.DRAINING, State.STOPPING, State.STOPPED)

    def is_starting(self) -> bool:
        """Whether a start is under way, even one that has been overtaken by a stop."""
        return self.state is not State.NEW and not self._came_up.is_set()

    def is_live(self) -> bool:
        """Whether the process is to be left running."""
        return self.state is not State.STOPPED

    def is_ready(self) -> bool:
        """Whether the pod is to get traffic."""
        return (
            self.state is State.SERVING
            and bool(self.board.is_serving(WHOLE_SERVER))
            and not (self.plan.require_sidecar and not self._sidecar_is_told())
        )

    def is_started(self) -> bool:
        """Whether the server has come up."""
        return self._has_served

    def is_stopped(self) -> bool:
        """Whether the server has stopped."""
        return self.state is State.STOPPED

    # What happens to it.

    def begin(self) -> None:
        """Begins to start. `come_up` does the rest.

        Raises:
            RuntimeError: it has begun before, or no thread can be started.
        """
        with self._changed:
            if not self._move(Event.START):
                raise RuntimeError("a server is started once: make another one to serve again")
        try:
            self._start_thread()
        except BaseException:
            self._acquired.set()
            self._came_up.set()
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
        try:
            try:
                await self._acquire()
            finally:
                self._acquired.set()
            await self._prepare()
        except BaseException:
            self._came_up.set()
            self.stop(0.0)
            await self._core.wait_stopped(self)
            raise
        self._came_up.set()
        if not self._serve():
            await self._core.wait_stopped(self)

    def drain(self) -> None:
        """Begins to go down gently, unless that has begun; waits for nothing."""
        self._go(Event.DRAIN)

    def stop(self, grace: float) -> None:
        """Begins to go down without waiting for traffic to go elsewhere; waits for nothing.

        Args:
            grace: seconds that running calls get to end, instead of the plan's. Once the server is stopping
                it can only become less.
        """
        with self._changed:
            self._grace = min(self._grace, grace) if self.state is State.STOPPING else grace
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
        with self._changed:
            if not self.stopped.is_set():
                self._when_stopped.append(call)
                return lambda: self._forget(call)
        call()
        return lambda: None

    def _forget(self, call: Callable[[], None]) -> None:
        with self._changed, suppress(ValueError):
            self._when_stopped.remove(call)

    def _go(self, event: Event) -> None:
        with self._changed:
            was_new = self.state is State.NEW
            self._move(event)
            self._changed.notify_all()
        if self._sidecar is not None:
            self._sidecar.link.wake()
        if was_new:  # no start has begun, so there is no thread to do it
            self._acquired.set()
            self._came_up.set()
            try:
                self._start_thread()
            except RuntimeError:  # no thread can be started
                self._go_down()

    def _move(self, event: Event) -> bool:
        """Changes the state, with the lock held; returns whether it has changed."""
        before, self.state = self.state, next_state(self.state, event)
        return self.state is not before

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._await_the_end, name="dubbo-mesh-life", daemon=True)
        self._thread.start()

    # Coming up.

    async def _acquire(self) -> None:
        """Opens what the server needs, as long as nobody stops it."""
        process.join(self)
        if self._reflection:
            from .reflection import reflect  # here, since few use it

            reflect(self._core.owner(), self.board)
        self._listening.listen(self.plan.listen, self.board.services)
        if self._interrupted():
            return
        self._answer_probes()
        if self.plan.sidecar is not None:
            self._sidecar = process.join_sidecar(self.plan.sidecar, self)
        if self._interrupted():
            return
        self._core_started = True
        await self._core.start(ended=lambda: self.stop(0.0))

    async def _prepare(self) -> None:
        """Waits for the sidecar, runs the hook and then the health checks, as long as nobody stops it."""
        if self._sidecar is not None and not self._interrupted():
            await self._core.run_blocking(self._await_sidecar)
        if not self._interrupted():
            await self._core.run_on_start()
        if self.plan.health_checks and not self._interrupted():
            await self._core.run_blocking(self._check_health)

    def _interrupted(self) -> bool:
        return self.state is not State.STARTING

    def _answer_probes(self) -> None:
        address = self.plan.probes
        if address is None:
            return
        try:
            self._probes = process.join_probes(address, self)
        except OSError as error:
            trouble = f"cannot listen on {address} for Kubernetes probes: {error.strerror or error}"
            if self.plan.require_probes:
                raise OSError(
                    error.errno or errno.EADDRNOTAVAIL, f"{trouble}; set DUBBO_MESH_PROBES or probes="
                ) from error
            _log.warning(
                "%s; that is only the default address, so the server goes on without probes", trouble
            )

    def _await_sidecar(self) -> None:
        shared, timeout, clock = self._sidecar, self.plan.sidecar_timeout, _Clock()
        assert shared is not None
        link, admin = shared.link, shared.link.sidecar.admin
        if not self.plan.expect_sidecar:
            # Only a default tells of a sidecar. One that comes later is told when it comes.
            link.wait_looked(_LOOK)
            if not link.present:
                _log.info("no sidecar at %s: starting without it", admin)
                return
        if link.wait_ready(timeout, self._interrupted):
            _log.info("sidecar at %s is ready after %s", admin, clock)
        elif self._interrupted():
            return
        elif self.plan.require_sidecar:
            raise SidecarError(
                f"sidecar at {admin} was not ready within {timeout:g} s and require_sidecar is set; "
                f"set DUBBO_MESH_ADMIN to where Envoy's admin endpoint listens"
            )
        elif timeout > 0:
            _log.warning("sidecar at %s is not ready after %s: starting without it", admin, clock)

    def _check_health(self) -> None:
        for check in self.plan.health_checks:
            if not self.board.has(check.service):
                raise ConfigurationError(
                    f"health check {check.name}: no service {check.service!r} on this server"
                )
        self._checker = Checker(self.plan.health_checks, self.board, self._core.loop)
        self._checker.wait_checked()

    def _serve(self) -> bool:
        """Tells everyone that the server serves; returns whether it does, nobody having stopped it."""
        with self._changed:
            if not self._move(Event.UP):
                return False
            self._has_served = True
            self.board.serve(True)
            self._traffic.release()
            if self._sidecar is not None:
                self._sidecar.serves(self)
        names = ", ".join(service.name for service in self.board.services) or "no service"
        _log.info("serving %s on %s", names, self._listening)
        return True

    # Going down.

    def _await_the_end(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.state in (State.DRAINING, State.STOPPING))
        self._go_down()

    def _go_down(self) -> None:
        clock = _Clock()
        hook = threading.Thread(target=self._run_on_drain, name="dubbo-mesh-on-drain", daemon=True)
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            ("waiting for the start", self._await_start),
            ("leaving", lambda: self._leave(clock)),
            ("on_drain", lambda: hook.start() if self._has_served else None),
            ("telling the sidecar", lambda: self._tell_sidecar(clock)),
            ("waiting for traffic to go", lambda: self._await_quiet(clock)),
            ("stopping", lambda: self._stop_core(clock)),
            ("waiting for on_drain", lambda: self._join(hook, clock)),
            ("ending handlers' threads", self._core.close),
            ("ending health checks", self._end_checks),
            ("letting go of the sidecar", lambda: self._let_go_of_sidecar(clock)),
            ("ending probes", self._end_probes),
        )
        for name, step in steps:
            try:
                step()
            except Exception:  # noqa: BLE001 - whatever it is, the next steps matter
                _log.exception("%s: %s failed", clock, name)
        if self._has_served:
            _log.info("%s: stopped", clock)
        process.leave(self)
        with self._changed:
            self._move(Event.ENDED)
            self.stopped.set()
            calls, self._when_stopped = self._when_stopped, []
        for call in calls:
            with suppress(RuntimeError):  # of an event loop that is closed
                call()

    def _await_start(self) -> None:
        """Lets a start that was overtaken finish what it does: its hook has the grace of a call."""
        self._acquired.wait(_ACQUIRE)
        ends = time.monotonic() + self._grace
        while not self._came_up.wait(min(_POLL, max(0.0, ends - time.monotonic()))):
            ends = min(ends, time.monotonic() + self._grace)
            if time.monotonic() >= ends:
                break

    def _leave(self, clock: _Clock) -> None:
        with self._changed:
            self.board.serve(False)
            self._traffic.leaving = True
            self._traffic.release(refused=True)
        if not self._has_served:
            return
        if self.state is State.DRAINING:
            _log.info(
                "draining: traffic has %g s to go elsewhere, then calls %g s to end",
                self.plan.drain,
                self._grace,
            )
        _log.info("%s: health NOT_SERVING, readiness false, responses marked", clock)

    def _tell_sidecar(self, clock: _Clock) -> None:
        shared = self._sidecar
        if shared is None or not self._has_served:
            return
        if not shared.leaves(self):
            _log.info("%s: sidecar not told, since other servers of this process serve", clock)
            return
        wait = min(1.0, self.plan.drain) if self.state is State.DRAINING else 0.0
        told = shared.link.wait_told(healthy=False, timeout=wait)
        _log.info("%s: sidecar %s", clock, "told" if told else "not reached yet; telling it goes on")

    def _await_quiet(self, clock: _Clock) -> None:
        """Waits until calls have stopped coming in, or the drain time is over."""
        if self.state is not State.DRAINING:
            return
        plan, traffic = self.plan, self._traffic
        if not (plan.drain_is_set or self._is_observed()):
            _log.info("%s: nobody has asked for this server's health, so nobody has to notice", clock)
        else:
            ends = clock.began + plan.drain
            while True:
                quiet_at = (traffic.last_call or clock.began) + plan.quiet
                now = time.monotonic()
                if now >= min(quiet_at, ends):
                    break
                with self._changed:
                    if self._changed.wait_for(
                        lambda: self.state is not State.DRAINING, min(quiet_at, ends) - now
                    ):
                        _log.info("%s: told not to wait", clock)
                        return
            if now >= quiet_at:
                _log.info("%s: no call for %g s", clock, plan.quiet)
            elif traffic.last_call is None:
                _log.info("%s: the drain time is over", clock)
            else:
                _log.warning("%s: the drain time is over, and calls still come in", clock)
        with self._changed:
            self._move(Event.QUIET)

    def _is_observed(self) -> bool:
        """Whether anyone could notice that the server leaves."""
        return (
            "KUBERNETES_SERVICE_HOST" in os.environ
            or self._sidecar_is_told()
            or (self._probes is not None and self._probes.asked)
            or self.board.asked
        )

    def _sidecar_is_told(self) -> bool:
        return self._sidecar is not None and self._sidecar.link.took_what_it_was_told

    def _stop_core(self, clock: _Clock) -> None:
        """Takes no more calls, lets those that run end, and cuts off what is left after their grace."""
        self.board.close()
        if not self._core_started:
            if self._listening.ports:
                self._core.discard()(_CUT_OFF)
            return
        if self._has_served and self._grace > 0:
            _log.info("%s: taking no more calls; those running have %g s", clock, self._grace)
            if self._stops_in_time():
                _log.info("%s: all calls have ended", clock)
                return
            _log.warning("%s: calls still running are cut off", clock)
        if not self._core.stop(0.0)(_CUT_OFF):
            _log.warning("%s: some handlers do not end; they go with the process", clock)

    def _stops_in_time(self) -> bool:
        """Stops gracefully; returns whether all calls ended in their grace, which may shrink meanwhile."""
        began = time.monotonic()
        stopped = self._core.stop(self._grace + _CUT_OFF)  # cutting off is the caller's
        while not stopped(_POLL):
            if time.monotonic() - began >= self._grace:
                return False
        return True

    def _run_on_drain(self) -> None:
        try:
            self._core.run_on_drain()
        except BaseException:  # noqa: BLE001 - a hook that calls sys.exit() has failed, too
            _log.exception("on_drain failed")

    def _join(self, hook: threading.Thread, clock: _Clock) -> None:
        if hook.ident is not None:
            hook.join(max(0.0, clock.began + self.plan.drain + self._grace - time.monotonic()))

    def _end_checks(self) -> None:
        if self._checker is not None:
            self._checker.close()

    def _let_go_of_sidecar(self, clock: _Clock) -> None:
        shared, self._sidecar = self._sidecar, None
        if shared is None:
            return
        try:
            if self.plan.sidecar_exit:
                shared.link.exit(timeout=2 * _CUT_OFF)
                _log.info("%s: sidecar told to exit", clock)
        except SidecarError as error:
            _log.warning("%s: sidecar could not be told to exit: %s", clock, error)
        finally:
            process.leave_sidecar(shared, self, min(_CUT_OFF, self.plan.drain + self._grace))

    def _end_probes(self) -> None:
        shared, self._probes = self._probes, None
        if shared is not None:
            process.leave_probes(shared, self)
