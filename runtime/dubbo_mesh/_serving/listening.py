"""Where a server listens, and that nobody else already does."""

from __future__ import annotations

import errno
import socket
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from .._contract.errors import ConfigurationError
from .._contract.service import Service

_REUSE_PORT = "grpc.so_reuseport"

_OUR_OPTIONS: tuple[tuple[str, Any], ...] = (
    # A second process must not silently share the first one's port. Who wants that names the option.
    (_REUSE_PORT, 0),
    # Envoy's connection_keepalive, and consumers in Go and Java, ping connections on which long calls are
    # silent. By default gRPC would end such a call with "Too many pings" (gRFC A8).
    ("grpc.http2.min_ping_interval_without_data_ms", 5000),
    ("grpc.http2.max_ping_strikes", 0),
)

_WILDCARDS = ("[::]", "::", "0.0.0.0")  # noqa: S104 - what we may be told to listen on

# What the system answers where it has no IPv6.
_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


def channel_arguments(given: Sequence[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """The channel arguments of a server: ours, less those that its owner has given too."""
    names = {name for name, _ in given}
    return (*(pair for pair in _OUR_OPTIONS if pair[0] not in names), *given)


def addresses_of(
    address: str | Sequence[str] | None, port: int | None, listen: Sequence[str], services: Iterable[Service]
) -> tuple[str, ...]:
    """Where to listen.

    Args:
        address: what the server's owner gives, or None.
        port: the same, short for `[::]:port`.
        listen: what `DUBBO_MESH_LISTEN` gives.
        services: without all of these, their ports decide, on all addresses of IPv6 and IPv4.

    Raises:
        ConfigurationError: both an address and a port were given, the port is not one, or nothing gives any.
    """
    if address is not None and port is not None:
        raise ConfigurationError("give address= or port=, not both")
    if port is not None:
        if not 0 <= port < 65536:
            raise ConfigurationError(f"port: {port!r} is not a port: 0 (any free one) to 65535")
        return (f"[::]:{port}",)
    if address is not None:
        return (address,) if isinstance(address, str) else tuple(address)
    addresses = tuple(listen) or tuple(dict.fromkeys(f"[::]:{service.port}" for service in services))
    if not addresses:
        raise ConfigurationError(
            "the server has neither a generated servicer nor an address to listen on: "
            "pass servicers, or address= or port="
        )
    return addresses


class Listening:
    """Where one server listens.

    Args:
        server: grpc's own server.
        address, port, credentials, options: as the owner of the server gives them.
    """

    def __init__(
        self,
        server: grpc.Server | grpc.aio.Server,
        *,
        address: str | Sequence[str] | None,
        port: int | None,
        credentials: grpc.ServerCredentials | None,
        options: Sequence[tuple[str, Any]],
    ) -> None:
        self._server = server
        self._address = address
        self._port = port
        self._credentials = credentials
        self._may_share = bool(dict(options).get(_REUSE_PORT))
        self.addresses: list[str] = []
        """What is listened on."""
        self.ports: list[int] = []
        """The port of each address; of Unix sockets grpc says 1."""

    def listen(self, listen: Sequence[str], services: Iterable[Service]) -> None:
        """Listens wherever the server is to, unless its owner has added ports.

        Args:
            listen: what `DUBBO_MESH_LISTEN` gives.
            services: the services of the server.

        Raises:
            OSError: an address cannot be listened on.
            ConfigurationError: as `addresses_of` has it.
        """
        if self.ports:
            return
        for address in addresses_of(self._address, self._port, listen, services):
            if not self._may_share:
                _check_free(address)
            try:
                self.add(address, self._credentials)
            except RuntimeError as error:
                raise OSError(_trouble(address)) from error

    def add(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        """Listens on an address, and returns its port.

        Raises:
            RuntimeError: grpc cannot listen on it.
        """
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        self.addresses.append(address)
        self.ports.append(port)
        return port

    def __str__(self) -> str:
        """The addresses, with the ports that the system chose."""
        return ", ".join(
            f"{address.removesuffix('0')}{port}" if address.endswith(":0") else address
            for address, port in zip(self.addresses, self.ports, strict=True)
        )


def _trouble(address: str) -> str:
    return (
        f"cannot listen on {address}: is the port taken, or below 1024 without the right to it? "
        f"address= or port= say where else"
    )


def _check_free(address: str) -> None:
    """Refuses what grpc would take although somebody else listens there already.

    grpc falls back to IPv4 alone where the port is taken on IPv6, and takes a Unix socket's path from
    whoever has it.

    Raises:
        OSError: somebody listens there.
    """
    if address.startswith("unix:"):
        _check_path(address)
        return
    host, _, port = address.rpartition(":")
    if host not in _WILDCARDS or not port.isdigit() or port == "0":
        return
    family = socket.AF_INET if "." in host else socket.AF_INET6
    both = family is socket.AF_INET6 and socket.has_dualstack_ipv6()
    try:
        socket.create_server((host.strip("[]"), int(port)), family=family, dualstack_ipv6=both).close()
    except OSError as error:
        if family is socket.AF_INET or error.errno not in _NO_IPV6:
            raise OSError(error.errno, _trouble(address)) from error


def _check_path(address: str) -> None:
    path = Path(address.removeprefix("unix://").removeprefix("unix:"))
    with suppress(FileNotFoundError), socket.socket(socket.AF_UNIX) as peer:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(errno.EEXIST, f"cannot listen on {address}: the file there is not a socket")
        with suppress(ConnectionRefusedError):  # left behind by a process that is gone
            peer.connect(str(path))
            raise OSError(errno.EADDRINUSE, f"cannot listen on {address}: another server has that path")
