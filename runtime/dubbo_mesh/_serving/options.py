"""What the owner of a server can set, and the resulting plan. Sync and async servers share it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import grpc

from .._addressing.environment import Environment
from .._contract.errors import ConfigurationError
from .._contract.service import Service
from .._contract.validation import check_host_port
from .._health.checks import HealthCheck, health_checks_of
from .._sidecar.admin import Sidecar

DEFAULT_GRACE = 20.0
DEFAULT_QUIET = 2.0
DEFAULT_SIDECAR_TIMEOUT = 10.0

_OFF = "off"


class ServerOptions(TypedDict, total=False):
    """The keyword arguments that sync and async servers have in common. `Server` says what each means."""

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
    quiet: float | None
    grace: float
    reflection: bool
    strict_routing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a server comes up and goes down; `Server` says what each setting means.

    Attributes:
        expect_sidecar: whether there is a sign of a sidecar, other than one that is found.
        require_probes: whether the probes' address was asked for, so that it is an error if it is taken.
        listen: what `DUBBO_MESH_LISTEN` gives.
        drain_is_set: whether `drain` or `quiet` was asked for, so that it holds even where nobody looks.
    """

    sidecar: Sidecar | None
    expect_sidecar: bool
    sidecar_timeout: float
    require_sidecar: bool
    sidecar_exit: bool
    probes: str | None
    require_probes: bool
    health_checks: Sequence[HealthCheck]
    listen: Sequence[str]
    drain: float
    quiet: float
    drain_is_set: bool
    grace: float


def plan_of(
    *,
    sidecar: Sidecar | str | None,
    sidecar_timeout: float | None,
    require_sidecar: bool,
    sidecar_exit: bool,
    probes: str | None,
    health_checks: Iterable[HealthCheck | Callable[[], object]],
    drain: float | None,
    quiet: float | None,
    grace: float,
    environ: Mapping[str, str] = os.environ,
) -> Plan:
    """The plan for a server, by its owner's arguments and, where those are None, by the environment.

    Raises:
        ConfigurationError: an argument is wrong, or a variable of the environment; the message names it.
    """
    environment = Environment.read(environ)
    drain_is_set = drain is not None or quiet is not None or bool(environ.get("DUBBO_MESH_DRAIN"))
    drain = environment.drain if drain is None else drain
    quiet = DEFAULT_QUIET if quiet is None else quiet
    for name, seconds in (("drain", drain), ("quiet", quiet), ("grace", grace)):
        _check_seconds(name, seconds)
    beside, expected = _sidecar_of(sidecar, environment, environ)
    if require_sidecar and beside is None:
        raise ConfigurationError(
            f"require_sidecar is set, but there is no sidecar: {_why_no_sidecar(sidecar, environment)}"
        )
    if sidecar_timeout is None:
        sidecar_timeout = DEFAULT_SIDECAR_TIMEOUT
    else:
        _check_seconds("sidecar_timeout", sidecar_timeout)
        expected = expected or sidecar_timeout > 0
    return Plan(
        sidecar=beside,
        expect_sidecar=expected or require_sidecar,
        sidecar_timeout=sidecar_timeout,
        require_sidecar=require_sidecar,
        sidecar_exit=sidecar_exit,
        probes=_probes_address(environment.probes if probes is None else probes),
        require_probes=probes is not None or bool(environ.get("DUBBO_MESH_PROBES")),
        health_checks=health_checks_of(health_checks),
        listen=environment.listen,
        drain=drain,
        quiet=quiet,
        drain_is_set=drain_is_set,
        grace=grace,
    )


def _check_seconds(name: str, seconds: float) -> None:
    if not 0 <= seconds < float("inf"):
        raise ConfigurationError(f"{name}: {seconds!r} is not a number of seconds, 0 or more")


def _sidecar_of(
    given: Sidecar | str | None, environment: Environment, environ: Mapping[str, str]
) -> tuple[Sidecar | None, bool]:
    """The sidecar, and whether anything but a default address tells of it."""
    if isinstance(given, Sidecar):
        return given, True
    if given is not None:
        return (None, False) if given == _OFF else (Sidecar(given), True)
    if environ.get("DUBBO_MESH_ADMIN"):
        return (None, False) if environment.admin is None else (Sidecar(environment.admin), True)
    if environment.mode != "sidecar" or environment.admin is None:
        return None, False
    # An egress listener is a sidecar's. Being in Kubernetes is no sign of one: ambient and proxyless pods
    # have none.
    return Sidecar(environment.admin), environment.egress is not None


def _why_no_sidecar(given: Sidecar | str | None, environment: Environment) -> str:
    if given is not None:
        return f"sidecar= is {given!r}"
    if environment.admin is None:
        return "DUBBO_MESH_ADMIN is off"
    return f"DUBBO_MESH_MODE is {environment.mode}, where only DUBBO_MESH_ADMIN or sidecar= tells of one"


def _probes_address(given: str | None) -> str | None:
    if given is None or given == _OFF:
        return None
    try:
        return check_host_port("probes:", given, any_port=True)
    except ValueError as error:
        raise ConfigurationError(f"{error} (or give off)") from None


def meant_by(service: object) -> str | Service:
    """The service that is meant by its name or key, a `Service`, or a generated class.

    Raises:
        TypeError: it is neither of these.
    """
    if isinstance(service, str):
        return service
    mesh = getattr(service, "__mesh__", service)
    if not isinstance(mesh, Service):
        raise TypeError(f"{service!r} is neither a service's name nor a generated class")
    return mesh
