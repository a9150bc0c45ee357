"""Where this application's own server listens, and how it is reached from this process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from ..._addressing.environment import Environment
from ..._contract.service import Service
from ..._contract.validation import check_host_port, host_port

_Made = TypeVar("_Made")

AUTO = "auto"
"""Given in place of an address: wherever a server listens that is not told otherwise."""

_WILDCARDS = {"0.0.0.0": ("127.0.0.1",), "::": ("::1", "127.0.0.1")}  # noqa: S104 - they are not listened on
"""Where a server that listens on all addresses can be reached from this host."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Something to connect to.

    Attributes:
        host: a name or an IP address; empty if it is a Unix socket.
        port: 0 if it is a Unix socket.
        path: of a Unix socket; empty if it is none.
    """

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        """The endpoint in grpc's syntax."""
        if self.path:
            return f"unix:{self.path}"
        return host_port(self.host, self.port)

    def connect(self, timeout: float) -> socket.socket:
        """Connects.

        Args:
            timeout: seconds at most; also for each operation of the socket that is returned.

        Raises:
            OSError: that is not possible.
        """
        if not self.path:
            try:
                return socket.create_connection((self.host, self.port), timeout)
            except UnicodeError as error:  # a host that the resolver's encoding refuses
                raise OSError(f"{self.host} is not a host name") from error
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(timeout)
            connection.connect(self.path)
        except OSError:
            connection.close()
            raise
        return connection


@dataclass(frozen=True, slots=True)
class Address:
    """An address that a server listens on.

    Attributes:
        given: as it was named.
        reachable: where it may be reached from this host: the loopback addresses of each family, if it is all
            addresses.
    """

    given: str
    reachable: tuple[Endpoint, ...]

    def first(self, attempt: Callable[[Endpoint], _Made]) -> tuple[Endpoint, _Made]:
        """The first endpoint at which an attempt succeeds, and what it made there.

        Raises:
            OSError: of the attempt at the last endpoint, if none succeeds.
        """
        *others, last = self.reachable
        for endpoint in others:
            try:
                return endpoint, attempt(endpoint)
            except OSError:
                continue
        return last, attempt(last)

    @property
    def loopback_only(self) -> bool:
        """Whether no other host can reach it; a Unix socket does not count."""
        hosts = [each.host for each in self.reachable]
        return len(hosts) == 1 and (hosts[0] in ("localhost", "::1") or hosts[0].startswith("127."))


def parse(what: str, given: str) -> Address:
    """Reads `host:port` or `unix:path`.

    Raises:
        ValueError: it is neither; the message begins with `what`.
    """
    if given.startswith("unix:"):
        path = given.removeprefix("unix:")
        path = path.removeprefix("//") if path.startswith("///") else path
        if not path or "\0" in path:
            raise ValueError(f"{what} must have the form unix:path, not {given!r}")
        return Address(given, (Endpoint("", 0, path),))
    host, _, port = check_host_port(what, given).rpartition(":")
    host = host.strip("[]")
    if host in _WILDCARDS:
        return Address(given, tuple(Endpoint(each, int(port)) for each in _WILDCARDS[host]))
    return Address(given, (Endpoint(host, int(port)),))


def addresses_of(given: str, environment: Environment, own: Iterable[Service]) -> list[Address]:
    """The addresses that are named on the command line.

    Args:
        given: one or several between commas, as in `DUBBO_MESH_LISTEN`; or `auto`, which stands for where a
            server listens by default.
        environment: of this process.
        own: the services of this application.

    Raises:
        ValueError: one is malformed, or nothing says where the server listens.
    """
    if given != AUTO:
        parts = [part.strip() for part in given.split(",")]
        return [parse("--server:", part) for part in parts if part] or [parse("--server:", given)]
    if environment.listen:
        return [parse("DUBBO_MESH_LISTEN:", each) for each in environment.listen]
    ports = dict.fromkeys(service.port for service in own)
    if not ports:
        raise ValueError(
            "--server auto: neither DUBBO_MESH_LISTEN nor the port of a service of this application "
            "(DUBBO_MESH_APP) says where the server listens"
        )
    return [parse("--server:", f"[::]:{port}") for port in ports]
