"""What the application tells its sidecar, and asks of it: Envoy's admin endpoint."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from .._addressing.environment import Environment
from .._contract.validation import check_host_port

READY = ("GET", "/ready")
HEALTHY = ("POST", "/healthcheck/ok")
FAILING = ("POST", "/healthcheck/fail")
DRAIN = ("POST", "/drain_listeners?inboundonly&graceful&skip_exit")
EXIT = ("POST", "/quitquitquit")

POLL = 0.1
"""Seconds between two questions whether the sidecar is ready."""

_LARGEST = 4096  # bytes read of an answer; what matters is within the first few hundred
_ISTIO_ADMIN = 15000
_ISTIO_AGENT = 15020  # pilot-agent: Envoy's own /quitquitquit would only make it start Envoy again


class SidecarError(ConnectionError):
    """The sidecar's admin endpoint cannot be reached, or refuses."""


@dataclass(frozen=True, slots=True)
class AdminAddress:
    """Where a sidecar's admin endpoint listens, and how requests to it look."""

    host: str
    port: int

    @classmethod
    def of(cls, admin: str | None) -> AdminAddress:
        """Reads `host:port`; None stands for what `DUBBO_MESH_ADMIN` says.

        Raises:
            ValueError: it is malformed, or `off`.
        """
        if admin is None:
            admin = Environment.read().admin
        if admin is None or admin == "off":
            raise ValueError(
                "the sidecar's admin endpoint is off (DUBBO_MESH_ADMIN): there is nothing to talk to"
            )
        host, _, port = check_host_port("admin:", admin).rpartition(":")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def agent(self) -> AdminAddress | None:
        """Istio's pilot-agent, where the address is Istio's."""
        return AdminAddress(self.host, _ISTIO_AGENT) if self.port == _ISTIO_ADMIN else None

    def request(self, method: str, path: str) -> bytes:
        """The request as it goes on the wire."""
        return (
            f"{method} {path} HTTP/1.1\r\nHost: {self}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ).encode()

    def error(self, path: str, why: object) -> SidecarError:
        """What to raise when `path` could not be had."""
        return SidecarError(
            f"sidecar's admin endpoint {self}{path.partition('?')[0]}: {why}; "
            f"set DUBBO_MESH_ADMIN to where Envoy's admin listens, or to off if there is none"
        )


class Answer:
    """An HTTP/1 response as far as it has come: its status, and whether it is a draining sidecar's."""

    def __init__(self) -> None:
        self._received = b""

    def take(self, received: bytes) -> bool:
        """Takes what has come, nothing standing for the end; returns whether more could change anything."""
        self._received += received
        if not received or len(self._received) >= _LARGEST:
            return False
        # Of one answer the body matters: 503 to /ready may be that of an Envoy that was told to be failing.
        return self.status is None or (self.status == 503 and not self.draining)

    @property
    def status(self) -> int | None:
        """The status; None while the answer is too short, or if it is not HTTP."""
        line, end, _ = self._received.partition(b"\r\n")
        parts = line.split(b" ", 2)
        if not end or len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            return None
        return int(parts[1][:3])

    @property
    def draining(self) -> bool:
        """Whether the sidecar works, and only says that it does not because it was told to be failing."""
        return b"DRAINING" in self._received.partition(b"\r\n\r\n")[2]

    @property
    def ready(self) -> bool:
        """Whether it is a working sidecar's, in answer to `GET /ready`."""
        return self.status == 200 or (self.status == 503 and self.draining)


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
        """Whether the sidecar works now: `GET /ready`. False where nothing answers.

        Envoy says no to that, with `DRAINING`, also after `failing`; it is ready all the same.
        """
        try:
            return _ask(self._address, self._timeout, *READY).ready
        except SidecarError:
            return False

    def wait_ready(self, timeout: float = 60.0, *, given_up: Callable[[], bool] = lambda: False) -> bool:
        """Waits until the sidecar takes traffic.

        Args:
            timeout: seconds to wait at most.
            given_up: asked about every 0.1 s; the wait ends when it says True.

        Returns:
            Whether the sidecar is ready.
        """
        deadline = time.monotonic() + timeout
        while not self.ready():
            if given_up() or time.monotonic() + POLL > deadline:
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


def reason(error: OSError) -> str:
    """Why it failed, in the system's words: asyncio's leave out the main thing."""
    return os.strerror(error.errno) if error.errno else str(error)


def _tell(address: AdminAddress, timeout: float, method: str, path: str) -> None:
    status = _ask(address, timeout, method, path).status
    if status != 200:
        raise address.error(path, f"HTTP status {status}" if status else "the answer is not HTTP")


def _ask(address: AdminAddress, timeout: float, method: str, path: str) -> Answer:
    answer = Answer()
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection((address.host, address.port), timeout) as connection:
            connection.sendall(address.request(method, path))
            while answer.take(connection.recv(_LARGEST)):
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError("timed out")
                connection.settimeout(remaining)
    except OSError as error:
        raise address.error(path, reason(error)) from error
    return answer
