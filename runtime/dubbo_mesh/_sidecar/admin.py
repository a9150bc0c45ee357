"""What the application asks its sidecar and tells it, on threads. `aio_admin.py` is the twin."""

from __future__ import annotations

import socket
import time

from .endpoint import (
    DRAIN,
    EXIT,
    FAILING,
    HEALTHY,
    LARGEST,
    POLL,
    READY,
    AdminAddress,
    Answer,
    Presence,
    SidecarError,
    UnreachableError,
    reason,
)


class Sidecar:
    """The Envoy beside this process, by its admin endpoint. Safe to use from several threads.

    Every call is one request on a connection of its own, answered within `timeout`.
    """

    def __init__(self, admin: str | None = None, *, timeout: float = 1.0) -> None:
        """Connects to nothing yet.

        Args:
            admin: `host:port` of the admin endpoint; by default what `DUBBO_MESH_ADMIN` says, and without it
                `127.0.0.1:15000`, which is Istio's.
            timeout: seconds that one request may take in all.

        Raises:
            ValueError: `admin` is malformed, or the environment says that it is off.
        """
        self._address = AdminAddress.of(admin)
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"Sidecar(admin={self.admin!r})"

    @property
    def admin(self) -> str:
        """`host:port` of the admin endpoint."""
        return str(self._address)

    def ready(self) -> bool:
        """Whether the sidecar works now (`GET /ready`); False where nothing answers.

        After `failing` Envoy answers 503 `DRAINING`; it works all the same, so that counts as ready.
        """
        return self.look().ready

    def look(self) -> Presence:
        """Asks `GET /ready`, and tells a sidecar that is not ready from one that is not there."""
        try:
            answer = _ask(self._address, self._timeout, *READY)
        except UnreachableError:
            return Presence(present=False, ready=False)
        except SidecarError:
            return Presence(present=True, ready=False)
        return Presence(present=True, ready=answer.ready)

    def wait_ready(self, timeout: float = 60.0) -> bool:
        """Waits until the sidecar takes traffic.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether the sidecar is ready.
        """
        deadline = time.monotonic() + timeout
        while not self.ready():
            if time.monotonic() + POLL > deadline:
                return False
            time.sleep(POLL)
        return True

    def healthy(self) -> None:
        """Says that the application takes traffic: `POST /healthcheck/ok`.

        Raises:
            SidecarError: the sidecar cannot be reached, or refuses.
        """
        self._tell(*HEALTHY)

    def failing(self) -> None:
        """Says that the application takes no more traffic: `POST /healthcheck/fail`.

        From then on each response through the sidecar's `health_check` filter carries
        `x-envoy-immediate-health-check-fail`.

        Raises:
            SidecarError: the sidecar cannot be reached, or refuses.
        """
        self._tell(*FAILING)

    def drain(self) -> None:
        """Drains the sidecar's inbound listeners: `POST /drain_listeners?inboundonly&graceful&skip_exit`.

        Raises:
            SidecarError: the sidecar cannot be reached, or refuses.
        """
        self._tell(*DRAIN)

    def exit(self) -> None:
        """Has the sidecar exit, so that a Job's pod can complete: `POST /quitquitquit`.

        With Istio's admin address (port 15000) pilot-agent is asked first, at port 15020.

        Raises:
            SidecarError: the sidecar cannot be reached, or refuses.
        """
        agent = self._address.agent
        if agent is not None:
            try:
                _tell(agent, self._timeout, *EXIT)
            except SidecarError:
                pass  # no Istio, but an Envoy at the same port: asked next
            else:
                return
        self._tell(*EXIT)

    def _tell(self, method: str, path: str) -> None:
        _tell(self._address, self._timeout, method, path)


def _tell(address: AdminAddress, timeout: float, method: str, path: str) -> None:
    status = _ask(address, timeout, method, path).status
    if status != 200:
        raise address.error(path, f"HTTP status {status}" if status else "the answer is not HTTP")


def _ask(address: AdminAddress, timeout: float, method: str, path: str) -> Answer:
    answer = Answer()
    deadline = time.monotonic() + timeout
    try:
        connection = socket.create_connection((address.host, address.port), timeout)
    except (OSError, UnicodeError) as error:  # a host that the resolver's encoding refuses is a UnicodeError
        raise address.error(path, reason(error), UnreachableError) from error
    try:
        with connection:
            connection.sendall(address.request(method, path))
            while answer.take(connection.recv(LARGEST)):
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError("timed out")
                connection.settimeout(remaining)
    except OSError as error:
        raise address.error(path, reason(error)) from error
    return answer
