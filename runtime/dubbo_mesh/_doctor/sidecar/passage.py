"""What a connection meets in the sidecar, up to the virtual host of its calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from ..._contract.validation import host_port
from ..addressing.dialling import Dialled
from ..envoy.configuration.services import BLACK_HOLE, PASSTHROUGH, address_of
from ..envoy.configuration.snapshot import Snapshot
from ..envoy.entering.authority import normalised
from ..envoy.entering.listeners import (
    Closed,
    Connection,
    Listener,
    Manager,
    TcpProxy,
    handler_of,
    intercepts,
    listener_of,
    outbound,
)
from ..envoy.entering.trust import Trust, trust
from ..envoy.forwarding.clusters import cluster_of
from ..envoy.routing.matching import redirects_to_https
from ..envoy.routing.near_misses import Kind, near_misses
from ..envoy.routing.virtual_hosts import virtual_host_of
from ..envoy.unknown import Unknown
from ..envoy.values import Json, number, text
from ..finding import Finding, problem
from .routing import unknown_destination

_REMEDIES: Mapping[Kind, str] = {
    "port": "correct the port of the target: the service's port in its options, or APP:PORT",
    "no port": "have the virtual host list the host with its port too, or set ignore_port_in_host_matching",
    "dot": "leave the dot out of the authority, or set strip_trailing_host_dot",
    "namespace": "correct the namespace of the target: in the service's options, or POD_NAMESPACE",
    "cluster domain": "set CLUSTER_DOMAIN to the cluster's DNS domain",
    "app": "correct the app of the target: it is the name of the provider's Kubernetes Service",
}

_ANOTHER = (
    "set DUBBO_MESH_EGRESS to the sidecar's listener for outbound calls, and DUBBO_MESH_ADMIN to the admin "
    "endpoint of the same sidecar"
)
_SHOWN = 4  # listeners


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where a connection enters the sidecar.

    Attributes:
        listener: that takes the connection.
        manager: that handles its requests.
        trust: whether it obeys their headers.
        connection: the connection.
    """

    listener: Listener
    manager: Manager
    trust: Trust
    connection: Connection


def connection_of(snapshot: Snapshot, dialled: Dialled) -> Connection:
    """The connection of a subject's calls: to an address that the sidecar knows, if none was found."""
    connection = dialled.connection
    if connection.host is not None or not connection.intercepted or not intercepts(snapshot):
        return connection
    host, _, _ = dialled.authority.rpartition(":")
    return replace(connection, host=address_of(snapshot, host, connection.port))


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
    if "listeners" not in snapshot.kinds:
        why = "no file has the listeners: add /config_dump, or istioctl proxy-config listeners -o json"
        return Finding("listener", "skipped", f"{name}: {why}", subject=name)
    listener = listener_of(snapshot, connection)
    if isinstance(listener, Unknown):
        return Finding("listener", "skipped", f"{name}: {listener.why}", subject=name)
    if listener is None:
        return _no_listener(snapshot, connection, name)
    handler = handler_of(snapshot, listener, connection)
    if isinstance(handler, Unknown):
        return Finding("listener", "skipped", f"{name}: {handler.why}", subject=name)
    if isinstance(handler, Closed):
        return problem("DM204", f"{name}: listener {listener.name}: {handler.why}", subject=name)
    if isinstance(handler, TcpProxy):
        return _not_http(snapshot, handler, name)
    if handler.tls:
        return problem("DM244", f"{name}: listener {listener.name} has a TLS context", subject=name)
    return Entrance(listener, handler, trust(handler, connection.source, forwarded_for, snapshot), connection)


def _no_listener(snapshot: Snapshot, connection: Connection, name: str) -> Finding:
    warming = listener_of(Snapshot(listeners=snapshot.warming_listeners), connection)
    if isinstance(warming, Listener):
        return problem("DM242", f"{name}: listener {warming.name} is warming", subject=name)
    seen = f"{name}: the sidecar has no listener for {_address(connection)}"
    refused = [each.name for each in snapshot.refused if each.kind == "listener"]
    if refused:
        seen = f"{seen}; it has refused the listener {refused[0]}"
    elif not connection.intercepted:
        known = list(islice(_known(snapshot), _SHOWN))
        seen = f"{seen}; it has {', '.join(known) or 'none'}"
        return problem("DM204", seen, remedy=_ANOTHER, subject=name)
    return problem("DM204", seen, subject=name)


def _known(snapshot: Snapshot) -> Iterator[str]:
    """Where the sidecar has listeners."""
    for each in snapshot.listeners:
        host = text(each, "address", "socket_address", "address")
        port = number(each, "address", "socket_address", "port_value")
        if host and port:
            yield host_port(host, port)


def _address(connection: Connection) -> str:
    if connection.host is None:
        return f"port {connection.port}"
    return host_port(connection.host, connection.port)


def _not_http(snapshot: Snapshot, proxy: TcpProxy, name: str) -> Finding:
    to = f"{name}: listener {proxy.listener} passes connections on to {', '.join(proxy.clusters) or 'nobody'}"
    for each in proxy.clusters:
        cluster = cluster_of(snapshot, each)
        if each == BLACK_HOLE:
            return problem("DM222", to, subject=name)
        if cluster is not None and any("envoy_internal_address" in each for each in cluster.addresses):
            why = f"{to}, an internal listener of the Envoy, which is not looked at"
            return Finding("listener", "skipped", why, subject=name)
        if each == PASSTHROUGH or (cluster is not None and cluster.passes_through):
            return problem("DM221", to, subject=name)
    return problem("DM205", f"{to}, without HTTP", subject=name)


def virtual_host_at(snapshot: Snapshot, entrance: Entrance, dialled: Dialled) -> Json | Finding:
    """The virtual host of a subject's calls; or the problem that they meet."""
    name, manager = dialled.subject.name, entrance.manager
    if manager.scoped:
        why = f"listener {manager.listener} gives each request routes of its own (scoped_routes)"
        return Finding("route", "skipped", f"{name}: {why}", subject=name)
    if manager.routes is None:
        return _no_routes(snapshot, manager, name)
    authority = normalised(manager, dialled.authority, dialled.connection.port)
    virtual_host = virtual_host_of(manager.routes, authority)
    if isinstance(virtual_host, Unknown):
        return Finding("route", "skipped", f"{name}: {virtual_host.why}", subject=name)
    if virtual_host is None:
        where = text(manager.routes, "name") or f"listener {manager.listener}"
        seen = f"{name}: no virtual host of {where} matches {dialled.authority}"
        nearest = near_misses(manager.routes, authority)
        if not nearest:
            return problem("DM206", seen, subject=name)
        seen = f"{seen}; {'; '.join(f'{each.domain} is there: {each.what}' for each in nearest)}"
        return problem("DM206", seen, remedy=_REMEDIES.get(nearest[0].kind), subject=name)
    if redirects_to_https(virtual_host, internal=entrance.trust.internal):
        where = text(virtual_host, "name")
        seen = f"{name}: virtual host {where} redirects every call to https (require_tls)"
        return problem("DM208", seen, remedy="remove require_tls from the virtual host", subject=name)
    return unknown_destination(snapshot, virtual_host, name) or virtual_host


def _no_routes(snapshot: Snapshot, manager: Manager, name: str) -> Finding:
    if manager.routes_name and "routes" not in snapshot.kinds:
        why = f"{name}: no file has the routes: add /config_dump, or istioctl proxy-config routes -o json"
        return Finding("route", "skipped", why, subject=name)
    if not manager.routes_name:
        return problem("DM243", f"{name}: listener {manager.listener} names no routes", subject=name)
    seen = f"{name}: listener {manager.listener} waits for its routes {manager.routes_name}"
    return problem("DM243", seen, subject=name)


def all_entrances(
    snapshot: Snapshot, egress_port: int | None, source: str | None, forwarded_for: str | None
) -> Iterator[Entrance]:
    """All entrances for calls that this process might make, where it is not known what it calls."""
    for listener in outbound(snapshot):
        port = number(listener.message, "address", "socket_address", "port_value")
        if port is None or egress_port not in (None, port):
            continue
        connection = Connection(None, port, source)
        handler = handler_of(snapshot, listener, connection)
        if isinstance(handler, Manager):
            verdict = trust(handler, source, forwarded_for, snapshot)
            yield Entrance(listener, handler, verdict, connection)
