"""Keeps the sidecar told whether the application takes traffic, through the restarts of either."""

from __future__ import annotations

import logging
import threading
import time

from .admin import Sidecar, SidecarError

_LOGGER = logging.getLogger("dubbo_mesh")

RETRY = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds until a sidecar that did not take what it was told is told again, at first and later."""

LOOK = 2.0
"""Seconds between two looks whether the sidecar is still there."""

REPEAT = 0.5
"""Seconds until a sidecar that is to be failing is told so once more."""


class SidecarLink:
    """Tells the sidecar, again until it takes it, and again when it is back after it was away."""

    def __init__(self, sidecar: Sidecar) -> None:
        """Tells nothing and starts no thread until `say`."""
        self._sidecar = sidecar
        self._changed = threading.Condition()
        self._wanted: bool | None = None
        self._taken: bool | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def sidecar_ready(self) -> bool:
        """Whether the sidecar was there, and had taken what it was told, when it was last looked at."""
        return self._taken is not None

    def say(self, *, healthy: bool, wait: float = 0.0) -> bool:
        """Tells the sidecar, in the background.

        Args:
            healthy: whether the application takes traffic.
            wait: seconds to wait until the sidecar has taken it.

        Returns:
            Whether the sidecar has taken it.
        """
        with self._changed:
            self._wanted = healthy
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dubbo-mesh-sidecar", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._taken is healthy, wait)

    def close(self) -> None:
        """Tells nothing more; waits for what is being told now."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        refusals = 0
        while True:
            with self._changed:
                wanted = self._wanted
                if self._closed or wanted is None:
                    return
                looking = self._taken is wanted
            taken = self._look(wanted) if looking else self._tell(wanted)
            with self._changed:
                self._taken = wanted if taken else None
                self._changed.notify_all()
                refusals = 0 if taken or self._wanted is not wanted else refusals + 1
                if not self._closed and self._wanted is wanted:
                    pause = RETRY[min(refusals, len(RETRY)) - 1] if refusals else LOOK if wanted else REPEAT
                    self._changed.wait(pause)

    def _look(self, wanted: bool) -> bool:
        # A sidecar that restarts comes back healthy. While it is to be failing, asking it to be costs as
        # much as looking, and leaves no moment in which a restart goes unseen.
        return self._sidecar.ready() if wanted else self._tell(wanted)

    def _tell(self, healthy: bool) -> bool:
        began = time.monotonic()
        try:
            if healthy:
                self._sidecar.healthy()
            else:
                self._sidecar.failing()
        except SidecarError as error:
            _LOGGER.debug("not told after %.3f s: %s", time.monotonic() - began, error)
            return False
        return True
