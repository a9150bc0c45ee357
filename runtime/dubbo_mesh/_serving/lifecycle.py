"""The life of a server beside its sidecar, from NOT_SERVING to stopped: what sync and async servers share.

Going down runs on a thread of its own: it keeps its times whatever handlers, hooks or an event loop do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._contract.errors import ConfigurationError
from .._health.board import WHOLE_SERVER, Board
from .._health.checks import Checker, HealthCheck
from .._sidecar.admin import Sidecar, SidecarError
from .._sidecar.link import SidecarLink
from .probes import Probes
from .traffic import Traffic

if TYPE_CHECKING:
    import asyncio

LOGGER = logging.getLogger("dubbo_mesh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a server comes up and goes down; what each setting means stands at `Server`."""

    sidecar: Sidecar | None
    sidecar_timeout: float
    require_sidecar: bool
    sidecar_exit: bool
    probes: str | None
    require_probes: bool
    health_checks: Sequence[HealthCheck]
    drain: float
    quiet: float
    grace: float


@dataclass(slots=True)
class _Clock:
    """Seconds since something began, for the log."""

    began: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return f"{time.monotonic() - self.began:.3f} s"


class Lifecycle:
    """One server's way up and down. Its methods may be called on any thread."""

    def __init__(self, plan: Plan, board: Board, traffic: Traffic) -> None:
        self.plan = plan
        self.board = board
        self.traffic = traffic
        self.started = False
        self.going_down = False
        self.stopped = threading.Event()
        self.abandoned = False
        """Set, by a signal handler, to give up coming up: such a handler may take no lock."""
        self._changed = threading.Condition()
        self._grace = plan.grace
        self._begun = False
        self._hurried = False
        self._ended = False
        self._link = SidecarLink(plan.sidecar) if plan.sidecar is not None else None
        self._probes: Probes | None = None
        self._checker: Checker | None = None
        self._stop: Callable[[float], bool] = lambda _grace: True
        self._on_drain: Callable[[], None] | None = None
        self._on_stopped: list[Callable[[], None]] = []

    @property
    def probes_port(self) -> int | None:
        """The port the probes are answered on; None where they are off."""
        return self._probes.port if self._probes is not None else None

    @property
    def gives_up(self) -> bool:
        """Whether coming up has lost its point."""
        return self.abandoned or self.going_down

    def live(self) -> bool:
        """Whether the process is to be left running."""
        return not self.stopped.is_set()

    def ready(self) -> bool:
        """Whether the pod is to get traffic."""
        serving = self.board.is_serving(WHOLE_SERVER)
        sidecar_ready = not self.plan.require_sidecar or (self._link is not None and self._link.sidecar_ready)
        return self.started and bool(serving) and not self.traffic.leaving and sidecar_ready

    def begin(self, stop: Callable[[float], bool], on_drain: Callable[[], None] | None) -> None:
        """Takes over: from now on the server has to go down by this lifecycle.

        Args:
            stop: stops the server, letting calls run for the given seconds; returns whether it has stopped.
            on_drain: the user's hook for when draining begins; runs on a thread of its own.

        Raises:
            RuntimeError: it has begun before.
        """
        if self._begun:
            raise RuntimeError("a server is started once: make another to serve again")
        self._begun = True
        self._stop = stop
        self._on_drain = on_drain

    def answer_probes(self) -> None:
        """Answers probes from now on.

        Raises:
            OSError: their address cannot be listened on, and was asked for.
        """
        if self.plan.probes is None:
            return
        answers = {"/live": self.live, "/ready": self.ready, "/startup": lambda: self.started}
        try:
            self._probes = Probes(self.plan.probes, answers)
        except OSError as error:
            trouble = f"cannot listen on {self.plan.probes} for Kubernetes probes: {error.strerror or error}"
            if self.plan.require_probes:
                raise OSError(error.errno, f"{trouble}; set DUBBO_MESH_PROBES or probes=") from error
            LOGGER.warning("%s; nobody asked for that address, so the server goes on without", trouble)

    def await_sidecar(self) -> None:
        """Waits for the sidecar, as long as the plan has it.

        Raises:
            SidecarError: the sidecar is required and did not become ready in time.
        """
        sidecar, timeout, clock = self.plan.sidecar, self.plan.sidecar_timeout, _Clock()
        if sidecar is None:
            return
        if sidecar.wait_ready(timeout, given_up=lambda: self.gives_up):
            LOGGER.info("sidecar at %s is ready after %s", sidecar.admin, clock)
        elif self.gives_up:
            return
        elif self.plan.require_sidecar:
            raise SidecarError(
                f"sidecar at {sidecar.admin} was not ready within {timeout:g} s and require_sidecar is set; "
                f"set DUBBO_MESH_ADMIN to where Envoy's admin listens"
            )
        elif timeout > 0:
            LOGGER.warning("sidecar at %s is not ready after %s: starting without it", sidecar.admin, clock)

    def check_health(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Starts the user's health checks, and waits for what each finds first.

        Raises:
            ConfigurationError: one is about a service that is not on the server.
        """
        for check in self.plan.health_checks:
            if not self.board.has(check.service):
                raise ConfigurationError(
                    f"health check {check.name}: no service {check.service!r} on this server"
                )
        if self.plan.health_checks:
            self._checker = Checker(self.plan.health_checks, self.board, loop)
            self._checker.wait_checked()

    def announce(self) -> None:
        """Serves: from now on health checks and probes pass, and the sidecar is told."""
        with self._changed:
            if self.gives_up:
                return
            self.started = True
            self.board.serve(True)
        if self._link is not None:
            self._link.say(healthy=True)
        LOGGER.info("serving %s", ", ".join(service.name for service in self.board.services) or "no service")

    def drain(self) -> None:
        """Begins to go down, unless that has begun; waits for nothing."""
        with self._changed:
            if self.going_down:
                return
            self.going_down = True
        threading.Thread(target=self._go_down, name="dubbo-mesh-drain", daemon=True).start()

    def stop(self, grace: float) -> None:
        """Goes down without waiting for traffic to go elsewhere, and for calls at most `grace` seconds."""
        with self._changed:
            self._hurried = True
            self._grace = min(self._grace, grace)
            self._changed.notify_all()
        self.drain()

    def when_stopped(self, call: Callable[[], None]) -> None:
        """Calls `call`, on any thread, once the server has stopped; at once if it has."""
        with self._changed:
            if not self.stopped.is_set():
                self._on_stopped.append(call)
                return
        call()

    def _go_down(self) -> None:
        clock = _Clock()
        try:
            self._leave(clock)
            hook = self._run_hook()
            self._tell_sidecar(clock)
            self._settle(clock)
            self._stop_server(clock)
            hook.join(max(0.0, clock.began + self.plan.drain + self._grace - time.monotonic()))
        except Exception:
            LOGGER.exception("going down failed after %s", clock)
        finally:
            self._close(clock)

    def _leave(self, clock: _Clock) -> None:
        plan = self.plan
        LOGGER.info(
            "draining: traffic has %g s to go elsewhere, then calls %g s to end", plan.drain, plan.grace
        )
        self.board.serve(False)
        self.traffic.leaving = True
        LOGGER.info("%s: health NOT_SERVING, readiness false, responses marked", clock)

    def _tell_sidecar(self, clock: _Clock) -> None:
        if self._link is not None and self.started and not self._hurried:
            taken = self._link.say(healthy=False, wait=min(1.0, self.plan.drain))
            LOGGER.info("%s: sidecar %s", clock, "told" if taken else "not reached; telling it goes on")

    def _run_hook(self) -> threading.Thread:
        hook = self._on_drain

        def run() -> None:
            try:
                if hook is not None and self.started:
                    hook()
            except Exception:
                LOGGER.exception("on_drain failed")

        thread = threading.Thread(target=run, name="dubbo-mesh-on-drain", daemon=True)
        thread.start()
        return thread

    def _settle(self, clock: _Clock) -> None:
        """Waits until calls have stopped coming in, or the drain time is over."""
        if not self.started:
            return
        ends = clock.began + self.plan.drain
        while True:
            quiet_at = (self.traffic.last_call or clock.began) + self.plan.quiet
            now = time.monotonic()
            remaining = min(quiet_at, ends) - now
            if remaining <= 0:
                break
            with self._changed:
                if self._changed.wait_for(lambda: self._hurried, remaining):
                    LOGGER.info("%s: told not to wait", clock)
                    return
        if now >= quiet_at:
            LOGGER.info("%s: no call for %g s", clock, self.plan.quiet)
        elif self.traffic.last_call is None:
            LOGGER.info("%s: the drain time is over", clock)
        else:
            LOGGER.warning("%s: the drain time is over, and calls still come in", clock)

    def _stop_server(self, clock: _Clock) -> None:
        """Stops taking calls, lets those that run end, and cuts off what is left after their grace."""
        self.board.close()
        grace = self._grace
        if grace > 0:
            LOGGER.info("%s: taking no more calls; those running have %g s", clock, grace)
            if self._stops_within(grace):
                LOGGER.info("%s: all calls have ended", clock)
                return
            LOGGER.warning("%s: calls still running are cut off", clock)
        if not self._stop(0):
            LOGGER.warning("%s: some handlers do not end; they go with the process", clock)

    def _stops_within(self, grace: float) -> bool:
        """Stops gracefully; returns whether all calls ended within `grace` seconds, or less if hurried."""
        began = time.monotonic()

        def stop() -> None:
            if self._stop(grace + 1.0):  # cutting off is the caller's
                with self._changed:
                    self._ended = True
                    self._changed.notify_all()

        threading.Thread(target=stop, name="dubbo-mesh-stop", daemon=True).start()
        with self._changed:
            while not self._ended:
                remaining = began + self._grace - time.monotonic()
                if remaining <= 0:
                    break
                self._changed.wait(remaining)
            return self._ended

    def _close(self, clock: _Clock) -> None:
        if self._checker is not None:
            self._checker.close()
        if self._link is not None:
            self._link.close()
        if self.plan.sidecar_exit and self.plan.sidecar is not None:
            try:
                self.plan.sidecar.exit()
                LOGGER.info("%s: sidecar told to exit", clock)
            except SidecarError as error:
                LOGGER.warning("%s: sidecar could not be told to exit: %s", clock, error)
        if self._probes is not None:
            self._probes.close()
        LOGGER.info("%s: stopped", clock)
        with self._changed:
            self.stopped.set()
            calls, self._on_stopped = self._on_stopped, []
        for call in calls:
            with suppress(RuntimeError):  # of an event loop that is closed
                call()
