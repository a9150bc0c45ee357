"""How a subject is dialled, and whether anything accepts the connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from ..._addressing.dialing import Dial, dial
from ..._addressing.environment import Environment
from ..._contract.errors import ConfigurationError
from ..budget import Budget
from ..envoy.listeners import Connection
from ..finding import Finding, problem
from .subjects import Subject


@dataclass(frozen=True, slots=True)
class Dialled:
    """A subject, and how it is dialled.

    Attributes:
        subject: what is called.
        dial: what grpc is given.
        authority: the `:authority` of its calls.
        connection: the connection that its calls use. Host and source are known once it has been tried.
    """

    subject: Subject
    dial: Dial
    authority: str
    connection: Connection


def dialled(subject: Subject, environment: Environment) -> Dialled:
    """How a subject is dialled.

    Raises:
        ConfigurationError: the mode has no address for it.
    """
    way = dial(subject.target, environment)
    default = way.address if environment.mode == "direct" else subject.target.authority
    authority = dict(way.options).get("grpc.default_authority", default)
    _, port = host_and_port(way.address)
    intercepted = environment.mode == "sidecar" and environment.egress is None
    return Dialled(subject, way, authority, Connection(None, port, intercepted=intercepted))


def source_of(host: str, port: int) -> str | None:
    """The address that a connection to an address would come from; None if there is no way there.

    Nothing is sent: connecting a datagram socket only chooses the route.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as chosen:
            chosen.connect((host, port))
            return str(chosen.getsockname()[0])
    except OSError:
        return None


def check_dialling(subject: Subject, environment: Environment, budget: Budget) -> Iterator[Finding | Dialled]:
    """Reports how a subject is dialled and whether that works; yields the way as well, if there is one."""
    try:
        found = dialled(subject, environment)
    except ConfigurationError as error:
        yield problem("DM105", f"{subject.name}: {error}", subject=subject.name)
        return
    seen = f"{subject.name}: {found.dial.address}, :authority {found.authority}; {found.dial.why}"
    yield Finding("dial", "ok", seen, subject=subject.name)
    if environment.mode == "proxyless":
        yield found
        return
    listening, connection = _check_listening(found, environment, budget)
    yield listening
    yield Dialled(subject, found.dial, found.authority, connection)


def _check_listening(found: Dialled, environment: Environment, budget: Budget) -> tuple[Finding, Connection]:
    name, address = found.subject.name, found.dial.address
    host, port = host_and_port(address)
    intercepted = found.connection.intercepted
    try:
        with socket.create_connection((host, port), budget.left(2.0)) as opened:
            connection = Connection(opened.getpeername()[0], port, opened.getsockname()[0], intercepted)
        seen = f"{name}: something listens at {address}"
        return Finding("reachable", "ok", seen, subject=name), connection
    except socket.gaierror as error:
        seen = f"{name}: {host} cannot be resolved: {error.strerror}"
        return problem("DM106", seen, subject=name), found.connection
    except OSError as error:
        remedy = None
        if environment.mode == "direct":
            remedy = "is the provider up? Its address is from DUBBO_MESH_DIRECT"
        elif environment.egress is not None:
            remedy = "is the sidecar up? The address of its egress listener is from DUBBO_MESH_EGRESS"
        seen = f"{name}: {address}: {error.strerror or error}"
        return problem("DM107", seen, remedy=remedy, subject=name), found.connection


def host_and_port(address: str) -> tuple[str, int]:
    """Splits an address in grpc's syntax."""
    host, _, port = address.removeprefix("dns:///").removeprefix("xds:///").rpartition(":")
    return host.strip("[]"), int(port)
