"""What sync and async servers take from their caller, and how it becomes a plan. The twins share it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypedDict

import grpc
import grpc.aio

from .._addressing.environment import Environment
from .._contract.errors import ConfigurationError
from .._contract.service import Service
from .._health.board import Board
from .._health.checks import HealthCheck, health_checks_of
from .._sidecar.admin import Sidecar
from .lifecycle import Plan
from .reflection import reflect as reflect

DEFAULT_GRACE = 20.0
DEFAULT_QUIET = 2.0
DEFAULT_SIDECAR_TIMEOUT = 10.0

_OFF = "off"


class Settings(TypedDict, total=False):
    """What sync and async servers are told alike. `Server` says what each means."""

    address: str | Sequence[str] | None
    port: int | None
    credentials: grpc.ServerCredentials | None
    options: Sequence[tuple[str, Any]]
    compression: grpc.Compression | None
    max_workers: int | None
    maximum_concurrent_rpcs: int | None
    sidecar: Sidecar | str | None
    sidecar_timeout: float | None
    require_sidecar: bool
    sidecar_exit: bool
    probes: str | None
    health_checks: Iterable[HealthCheck | Callable[[], object]]
    drain: float | None
    quiet: float
    grace: float
    reflection: bool
    strict_routing: bool


def plan_of(
    *,
    sidecar: Sidecar | str | None,
    sidecar_timeout: float | None,
    require_sidecar: bool,
    sidecar_exit: bool,
    probes: str | None,
    health_checks: Iterable[HealthCheck | Callable[[], object]],
    drain: float | None,
    quiet: float,
    grace: float,
) -> Plan:
    """The plan for a server, by its caller and by the environment.

    Raises:
        ConfigurationError: a setting is wrong, or a variable of the environment; the message names it.
    """
    environment = Environment.read()
    drain = environment.drain if drain is None else drain
    for name, seconds in (("drain", drain), ("quiet", quiet), ("grace", grace)):
        if not 0 <= seconds < float("inf"):
            raise ConfigurationError(f"{name}: {seconds!r} is not a number of seconds, 0 or more")
    beside, expected = _sidecar(sidecar, environment)
    if require_sidecar and beside is None:
        raise ConfigurationError(
            "require_sidecar is set, but DUBBO_MESH_ADMIN or sidecar= says that there is none"
        )
    if sidecar_timeout is None:
        sidecar_timeout = DEFAULT_SIDECAR_TIMEOUT if expected or require_sidecar else 0.0
    elif not 0 <= sidecar_timeout < float("inf"):
        raise ConfigurationError(
            f"sidecar_timeout: {sidecar_timeout!r} is not a number of seconds, 0 or more"
        )
    return Plan(
        sidecar=beside,
        sidecar_timeout=sidecar_timeout,
        require_sidecar=require_sidecar,
        sidecar_exit=sidecar_exit,
        probes=_probes(environment.probes if probes is None else probes),
        require_probes=probes is not None or bool(os.environ.get("DUBBO_MESH_PROBES")),
        health_checks=health_checks_of(health_checks),
        drain=drain,
        quiet=quiet,
        grace=grace,
    )


def _sidecar(said: Sidecar | str | None, environment: Environment) -> tuple[Sidecar | None, bool]:
    """The sidecar, and whether there is good reason to expect one at that address."""
    if isinstance(said, Sidecar):
        return said, True
    if said is not None:
        return (None, False) if said == _OFF else (Sidecar(said), True)
    if os.environ.get("DUBBO_MESH_ADMIN"):
        return (None, False) if environment.admin is None else (Sidecar(environment.admin), True)
    if environment.mode != "sidecar" or environment.admin is None:
        return None, False
    # The default address: in a pod a sidecar may come up after the application, elsewhere there is mostly
    # none.
    return Sidecar(environment.admin), "KUBERNETES_SERVICE_HOST" in os.environ


def _probes(said: str | None) -> str | None:
    if said is None or said == _OFF:
        return None
    host, colon, port = said.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ConfigurationError(f"probes: {said!r} is neither off nor of the form host:port")
    return said


def service_of(servicer: object) -> Service:
    """The service that a servicer serves, by its generated base.

    Raises:
        TypeError: it has none.
    """
    service = getattr(servicer, "__mesh__", None)
    if isinstance(servicer, type) or not isinstance(service, Service):
        raise TypeError(
            f"{servicer!r} is no instance of a servicer that protoc-gen-dubbo-mesh generated; "
            f"what is of protoc's own goes to its own add_..._to_server(servicer, server)"
        )
    return service


def addresses_of(address: str | Sequence[str] | None, port: int | None, board: Board) -> tuple[str, ...]:
    """Where to listen: as said, or else on each port of the services, IPv6 and IPv4 alike.

    Raises:
        ConfigurationError: both an address and a port were given, or the port is none.
    """
    if address is not None and port is not None:
        raise ConfigurationError("give address= or port=, not both")
    if port is not None:
        if not 0 <= port < 65536:
            raise ConfigurationError(f"port: {port!r} is not a port: 0 (any free one) to 65535")
        return (f"[::]:{port}",)
    if address is not None:
        return (address,) if isinstance(address, str) else tuple(address)
    return tuple(dict.fromkeys(f"[::]:{service.port}" for service in board.services))


def bind(
    server: grpc.Server | grpc.aio.Server,
    addresses: Iterable[str],
    credentials: grpc.ServerCredentials | None,
) -> tuple[int, ...]:
    """Listens on all of the addresses; returns their ports (of Unix sockets grpc says 1).

    Raises:
        OSError: one cannot be listened on.
    """
    ports: list[int] = []
    for address in addresses:
        try:
            if credentials is None:
                ports.append(server.add_insecure_port(address))
            else:
                ports.append(server.add_secure_port(address, credentials))
        except RuntimeError as error:
            raise OSError(
                f"cannot listen on {address}: is the port taken, or below 1024 without the right to it? "
                f"address= or port= say where else"
            ) from error
    return tuple(ports)


def server_options(options: Sequence[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """The server's channel arguments: a second process must not silently share the first one's port."""
    return (("grpc.so_reuseport", 0), *options)


def name_of(service: object) -> str | Service:
    """The service that is meant by its name or key, a `Service`, or a generated class."""
    if isinstance(service, str):
        return service
    mesh = getattr(service, "__mesh__", service)
    if not isinstance(mesh, Service):
        raise TypeError(f"{service!r} is neither a service's name nor a generated class")
    return mesh
