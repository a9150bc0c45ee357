"""Envoy's admin endpoint: what it is asked and told, and what its answers mean. The twins share it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .._addressing.environment import Environment
from .._contract.validation import check_host_port, host_port

READY = ("GET", "/ready")
HEALTHY = ("POST", "/healthcheck/ok")
FAILING = ("POST", "/healthcheck/fail")
DRAIN = ("POST", "/drain_listeners?inboundonly&graceful&skip_exit")
EXIT = ("POST", "/quitquitquit")

POLL = 0.1
"""Seconds between two questions whether the sidecar is ready."""

LARGEST = 4096
"""Bytes read of an answer; what matters is within the first few hundred."""

_ISTIO_ADMIN = 15000
_ISTIO_AGENT = 15020  # pilot-agent: Envoy's own /quitquitquit would only make it start Envoy again


class SidecarError(ConnectionError):
    """The sidecar's admin endpoint cannot be reached, or refuses."""


class UnreachableError(SidecarError):
    """Nothing accepts connections at the address."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What a look at a sidecar has shown.

    Attributes:
        present: whether something accepts connections at the admin endpoint's address.
        ready: whether it is an Envoy that takes traffic.
    """

    present: bool
    ready: bool


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
        return host_port(self.host, self.port)

    @property
    def agent(self) -> AdminAddress | None:
        """Istio's pilot-agent, where the address is Istio's."""
        return AdminAddress(self.host, _ISTIO_AGENT) if self.port == _ISTIO_ADMIN else None

    def request(self, method: str, path: str) -> bytes:
        """The request as it goes on the wire."""
        return (
            f"{method} {path} HTTP/1.1\r\nHost: {self}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ).encode()

    def error(self, path: str, why: object, kind: type[SidecarError] = SidecarError) -> SidecarError:
        """What to raise when a request for `path` failed."""
        return kind(
            f"sidecar's admin endpoint {self}{path.partition('?')[0]}: {why}; "
            f"set DUBBO_MESH_ADMIN to where Envoy's admin endpoint listens, or to off if there is none"
        )


class Answer:
    """An HTTP/1 response as far as it has come: its status, and whether it is a draining sidecar's."""

    def __init__(self) -> None:
        self._received = b""

    def take(self, received: bytes) -> bool:
        """Takes what has come, nothing standing for the end; returns whether more could change anything."""
        self._received += received
        if not received or len(self._received) >= LARGEST:
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


def reason(error: Exception) -> str:
    """Why it failed, in the system's words: asyncio's leave out the main thing."""
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
