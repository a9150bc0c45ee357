"""What a connection meets in the sidecar, up to the virtual host of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..addressing.dialling import Dialled
from ..envoy.authority import normalised
from ..envoy.listeners import (
    Closed,
    Connection,
    Listener,
    Manager,
    TcpProxy,
    handler_of,
    listener_of,
    outbound,
)
from ..envoy.snapshot import Snapshot
from ..envoy.trust import Trust, trust
from ..envoy.unknown import Unknown
from ..envoy.values import Json, number, text
from ..envoy.virtual_hosts import virtual_host_of
from ..finding import Finding, problem


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where a connection enters the sidecar.

    Attributes:
        listener: that takes the connection.
        manager: that handles its requests.
        trust: whether it obeys their headers.
    """

    listener: Listener
    manager: Manager
    trust: Trust


def entrance_of(
    snapshot: Snapshot, connection: Connection, forwarded_for: str | None, name: str
) -> Entrance | Finding:
    """Where a connection enters the sidecar; or the problem that it meets.

    Args:
        snapshot: the sidecar's configuration.
        connection: how calls are made.
        forwarded_for: the `x-forwarded-for` that calls have.
        name: of what is called.
    """
    listener = listener_of(snapshot, connection)
    if isinstance(listener, Unknown):
        return Finding("listener", "skipped", f"{name}: {listener.why}", subject=name)
    if listener is None:
        seen = f"{name}: the sidecar has no listener for port {connection.port}"
        return problem("DM204", seen, subject=name)
    handler = handler_of(snapshot, listener, connection)
    if isinstance(handler, Unknown):
        return Finding("listener", "skipped", f"{name}: {handler.why}", subject=name)
    if isinstance(handler, Closed):
        return problem("DM204", f"{name}: listener {listener.name}: {handler.why}", subject=name)
    if isinstance(handler, TcpProxy):
        return problem("DM205", f"{name}: listener {listener.name} is not an HTTP listener", subject=name)
    return Entrance(listener, handler, trust(handler, connection.source, forwarded_for))


def virtual_host_at(entrance: Entrance, dialled: Dialled) -> Json | Finding:
    """The virtual host of a subject's calls; or the problem that they meet."""
    name, manager = dialled.subject.name, entrance.manager
    if manager.scoped:
        why = f"listener {manager.listener} gives each request routes of its own (scoped_routes)"
        return Finding("route", "skipped", f"{name}: {why}", subject=name)
    if manager.routes is None:
        seen = f"{name}: listener {manager.listener} waits for its routes ({manager.routes_name})"
        return problem("DM206", seen, subject=name)
    authority = normalised(manager, dialled.authority, dialled.connection.port)
    virtual_host = virtual_host_of(manager.routes, authority)
    if isinstance(virtual_host, Unknown):
        return Finding("route", "skipped", f"{name}: {virtual_host.why}", subject=name)
    if virtual_host is None:
        where = text(manager.routes, "name") or f"listener {manager.listener}"
        seen = f"{name}: no virtual host of {where} matches {dialled.authority}"
        return problem("DM206", seen, subject=name)
    return virtual_host


def all_entrances(
    snapshot: Snapshot, egress_port: int | None, source: str | None, forwarded_for: str | None
) -> Iterator[Entrance]:
    """All entrances for calls that this process might make, where it is not known what it calls."""
    for listener in outbound(snapshot):
        port = number(listener.message, "address", "socket_address", "port_value")
        if port is None or egress_port not in (None, port):
            continue
        handler = handler_of(snapshot, listener, Connection(None, port, source))
        if isinstance(handler, Manager):
            yield Entrance(listener, handler, trust(handler, source, forwarded_for))
