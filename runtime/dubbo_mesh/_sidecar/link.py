"""Keeps one sidecar told whether the application takes traffic, through the restarts of either.

All that is asked of a sidecar or told to it goes over one thread, so that a sidecar that hangs, or a name
that cannot be looked up, delays nobody longer than they are willing to wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .._contract.logs import logger
from .admin import Sidecar
from .endpoint import POLL, SidecarError

_log = logger(__name__)

RETRY = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds until a sidecar that did not take what it was told is told again, at first and later."""

LOOK = 2.0
"""Seconds between two looks whether the sidecar is still there."""

REPEAT = 0.5
"""Seconds until a sidecar that is to be failing is told so once more."""


class SidecarLink:
    """Tells a sidecar, again until it takes it, and again when it is back after it was away.

    Its methods may be called on any thread.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        """Starts the thread that looks whether the sidecar is there; tells it nothing yet.

        Raises:
            RuntimeError: no thread can be started.
        """
        self._sidecar = sidecar
        self._changed = threading.Condition()
        self._wanted: bool | None = None
        self._taken: bool | None = None
        self._present: bool | None = None
        self._ready = False
        self._exit_wanted = False
        self._exited: SidecarError | bool = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="dubbo-mesh-sidecar", daemon=True)
        self._thread.start()

    @property
    def sidecar(self) -> Sidecar:
        """The sidecar."""
        return self._sidecar

    @property
    def took_what_it_was_told(self) -> bool:
        """Whether the sidecar was there, and had taken what it was told, when it was last looked at."""
        return self._taken is not None

    @property
    def present(self) -> bool:
        """Whether something accepted a connection at the sidecar's address when it was last looked at."""
        return bool(self._present)

    def wait_looked(self, timeout: float) -> None:
        """Waits until the sidecar has been looked at once, `timeout` seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._present is not None, timeout)

    def wait_ready(self, timeout: float, interrupted: Callable[[], bool]) -> bool:
        """Waits until the sidecar is ready, `timeout` seconds at most, or until `interrupted` and woken."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or interrupted(), timeout)
            return self._ready

    def wake(self) -> None:
        """Has those who wait look whether they were interrupted."""
        with self._changed:
            self._changed.notify_all()

    def tell(self, *, healthy: bool) -> None:
        """Tells the sidecar, in the background, whether the application takes traffic."""
        with self._changed:
            self._wanted = healthy
            self._changed.notify_all()

    def wait_told(self, *, healthy: bool, timeout: float) -> bool:
        """Waits, `timeout` seconds at most, until the sidecar has taken what it was told.

        Returns:
            Whether it has.
        """
        with self._changed:
            return bool(self._changed.wait_for(lambda: self._taken is healthy, timeout))

    def exit(self, timeout: float) -> None:
        """Has the sidecar exit, as the last thing that it is told.

        Raises:
            SidecarError: it cannot be reached, or refuses, or does not answer within `timeout` seconds.
        """
        with self._changed:
            self._exit_wanted = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._exited is not False, timeout)
            outcome = self._exited
        if outcome is False:
            raise SidecarError(f"sidecar at {self._sidecar.admin} did not answer within {timeout:g} s")
        if isinstance(outcome, SidecarError):
            raise outcome

    def close(self, timeout: float) -> None:
        """Tells the sidecar nothing more; waits, `timeout` seconds at most, for what is being told now."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _run(self) -> None:
        refusals = 0
        while True:
            with self._changed:
                if self._closed:
                    return
                wanted, exiting = self._wanted, self._exit_wanted
                looking = wanted is None or self._taken is wanted
            if exiting:
                self._tell_to_exit()
                return
            taken = self._look(wanted) if looking else self._tell(wanted)
            with self._changed:
                self._taken = wanted if taken else None
                self._changed.notify_all()
                refusals = 0 if taken or self._wanted is not wanted else refusals + 1
                if not self._closed and not self._exit_wanted and self._wanted is wanted:
                    self._changed.wait(self._pause(wanted, refusals))

    def _pause(self, wanted: bool | None, refusals: int) -> float:
        if wanted is None:
            return POLL
        if refusals:
            return RETRY[min(refusals, len(RETRY)) - 1]
        return LOOK if wanted else REPEAT

    def _look(self, wanted: bool | None) -> bool:
        # A sidecar that restarts comes back healthy. While it is to be failing, asking it to be costs as
        # much as looking, and leaves no moment in which a restart goes unseen.
        if wanted is False:
            return self._tell(False)
        presence = self._sidecar.look()
        with self._changed:
            self._present, self._ready = presence.present, presence.ready
        return presence.ready

    def _tell(self, healthy: bool | None) -> bool:
        began = time.monotonic()
        try:
            if healthy:
                self._sidecar.healthy()
            else:
                self._sidecar.failing()
        except SidecarError as error:
            _log.debug("sidecar not told after %.3f s: %s", time.monotonic() - began, error)
            return False
        except Exception:  # noqa: BLE001 - the thread must live on
            _log.exception("sidecar at %s cannot be told", self._sidecar.admin)
            return False
        return True

    def _tell_to_exit(self) -> None:
        outcome: SidecarError | bool = True
        try:
            self._sidecar.exit()
        except SidecarError as error:
            outcome = error
        with self._changed:
            self._exited = outcome
            self._changed.notify_all()
