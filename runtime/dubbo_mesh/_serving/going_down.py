"""The steps down: how a server leaves, and lets go of all that it has. Sync and async servers share them.

Each step is bounded, and goes ahead if the one before it fails.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

from .._contract.logs import logger
from .._sidecar.endpoint import SidecarError
from .parts import Parts
from .process import Member, process
from .states import Event, State

_log = logger(__name__)

_POLL = 0.05
"""Seconds between two looks whether the server has stopped, or is to stop sooner."""

_CUT_OFF = 1.0
"""Seconds that grpc gets to end calls that are cut off."""

_ACQUIRE = 5.0
"""Seconds that a server which is told to stop while it starts gets to finish opening what is then closed."""


class Leaving(Member, Protocol):
    """A server that goes down, as the steps see it; what it is told meanwhile changes these.

    Attributes:
        state: where it is in its life.
        grace: seconds that running calls get.
        has_served: whether it has ever served.
        changed: held while any of these change, and notified then.
        acquired: set when the start has opened what it opens.
        came_up: set when the start is over, however it went.
    """

    state: State
    grace: float
    has_served: bool
    changed: threading.Condition
    acquired: threading.Event
    came_up: threading.Event

    def move(self, event: Event) -> bool:
        """Changes the state, with `changed` held; returns whether it has changed."""
        ...


class GoingDown:
    """One server's way down."""

    def __init__(self, parts: Parts, life: Leaving) -> None:
        self._parts = parts
        self._life = life
        self._began = time.monotonic()
        self._hook = threading.Thread(target=self._run_on_drain, name="dubbo-mesh-on-drain", daemon=True)

    def run(self) -> None:
        """Takes all the steps."""
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            ("waiting for the start", self._await_start),
            ("leaving", self._leave),
            ("on_drain", self._start_hook),
            ("telling the sidecar", self._tell_sidecar),
            ("waiting for traffic to go", self._await_quiet),
            ("stopping", self._stop_core),
            ("waiting for on_drain", self._await_hook),
            ("ending handlers' threads", self._parts.core.close),
            ("ending health checks", self._end_checks),
            ("letting go of the sidecar", self._let_go_of_sidecar),
            ("ending probes", self._end_probes),
        )
        for name, step in steps:
            try:
                step()
            except Exception:  # noqa: BLE001 - whatever it is, the next steps matter
                _log.exception("%s: %s failed", self._clock(), name)
        if self._life.has_served:
            _log.info("%s: stopped", self._clock())

    def _clock(self) -> str:
        return f"{time.monotonic() - self._began:.3f} s"

    def _start_hook(self) -> None:
        if self._life.has_served:
            self._hook.start()

    def _await_hook(self) -> None:
        if self._hook.ident is not None:
            ends = self._began + self._parts.plan.drain + self._life.grace
            self._hook.join(max(0.0, ends - time.monotonic()))

    def _await_start(self) -> None:
        """Lets a start that was overtaken finish what it does: its hook has the grace of a call."""
        self._life.acquired.wait(_ACQUIRE)
        ends = time.monotonic() + self._life.grace
        while not self._life.came_up.wait(min(_POLL, max(0.0, ends - time.monotonic()))):
            ends = min(ends, time.monotonic() + self._life.grace)
            if time.monotonic() >= ends:
                break

    def _leave(self) -> None:
        with self._life.changed:
            self._parts.board.serve(False)
            self._parts.traffic.release(refused=True)
        if not self._life.has_served:
            return
        if self._life.state is State.DRAINING:
            _log.info(
                "draining: traffic has %g s to go elsewhere, then calls %g s to end",
                self._parts.plan.drain,
                self._life.grace,
            )
        _log.info("%s: health NOT_SERVING, readiness false, responses marked", self._clock())

    def _tell_sidecar(self) -> None:
        shared = self._parts.sidecar
        if shared is None or not self._life.has_served:
            return
        if not shared.leaves(self._life):
            _log.info("%s: sidecar not told, since other servers of this process serve", self._clock())
            return
        wait = min(1.0, self._parts.plan.drain) if self._life.state is State.DRAINING else 0.0
        told = shared.link.wait_told(healthy=False, timeout=wait)
        _log.info("%s: sidecar %s", self._clock(), "told" if told else "not reached yet; telling it goes on")

    def _await_quiet(self) -> None:
        """Waits until calls have stopped coming in, or the drain time is over."""
        if self._life.state is not State.DRAINING:
            return
        plan, traffic = self._parts.plan, self._parts.traffic
        if not (plan.drain_is_set or self._is_observed()):
            _log.info("%s: nobody has asked for this server's health, so nobody has to notice", self._clock())
        else:
            ends = self._began + plan.drain
            while True:
                quiet_at = (traffic.last_call or self._began) + plan.quiet
                now = time.monotonic()
                if now >= min(quiet_at, ends):
                    break
                with self._life.changed:
                    if self._life.changed.wait_for(
                        lambda: self._life.state is not State.DRAINING, min(quiet_at, ends) - now
                    ):
                        _log.info("%s: told not to wait", self._clock())
                        return
            if now >= quiet_at:
                _log.info("%s: no call for %g s", self._clock(), plan.quiet)
            elif traffic.last_call is None:
                _log.info("%s: the drain time is over", self._clock())
            else:
                _log.warning("%s: the drain time is over, and calls still come in", self._clock())
        with self._life.changed:
            self._life.move(Event.QUIET)

    def _is_observed(self) -> bool:
        """Whether anyone could notice that the server leaves."""
        return (
            "KUBERNETES_SERVICE_HOST" in os.environ
            or self._parts.sidecar_is_told()
            or (self._parts.probes is not None and self._parts.probes.asked)
            or self._parts.board.asked
        )

    def _stop_core(self) -> None:
        """Takes no more calls, lets those that run end, and cuts off what is left after their grace."""
        self._parts.board.close()
        if not self._parts.core_is_started:
            if self._parts.listening.ports:
                self._parts.core.discard()(_CUT_OFF)
            return
        if self._life.has_served and self._life.grace > 0:
            _log.info("%s: taking no more calls; those running have %g s", self._clock(), self._life.grace)
            if self._stops_in_time():
                _log.info("%s: all calls have ended", self._clock())
                return
            _log.warning("%s: calls still running are cut off", self._clock())
        if not self._parts.core.stop(0.0)(_CUT_OFF):
            _log.warning("%s: some handlers do not end; they go with the process", self._clock())

    def _stops_in_time(self) -> bool:
        """Stops gracefully; returns whether all calls ended in their grace, which may shrink meanwhile."""
        began = time.monotonic()
        stopped = self._parts.core.stop(self._life.grace + _CUT_OFF)  # cutting off is the caller's
        while not stopped(_POLL):
            if time.monotonic() - began >= self._life.grace:
                return False
        return True

    def _run_on_drain(self) -> None:
        try:
            self._parts.core.run_on_drain()
        except BaseException:  # noqa: BLE001 - a hook that calls sys.exit() has failed, too
            _log.exception("on_drain failed")

    def _end_checks(self) -> None:
        if self._parts.checker is not None:
            self._parts.checker.close()

    def _let_go_of_sidecar(self) -> None:
        plan = self._parts.plan
        shared, self._parts.sidecar = self._parts.sidecar, None
        if shared is None:
            return
        shared.is_to_exit |= plan.sidecar_exit
        if not process.leave_sidecar(shared, self._life):
            return
        try:
            if shared.is_to_exit:
                shared.link.exit(timeout=2 * _CUT_OFF)
                _log.info("%s: sidecar told to exit", self._clock())
        except SidecarError as error:
            _log.warning("%s: sidecar could not be told to exit: %s", self._clock(), error)
        finally:
            shared.link.close(min(_CUT_OFF, plan.drain + self._life.grace))

    def _end_probes(self) -> None:
        shared, self._parts.probes = self._parts.probes, None
        if shared is not None:
            process.leave_probes(shared, self._life)
