"""Which listener and which connection manager a connection meets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .snapshot import Snapshot
from .values import Json, has, mapping, number, objects, seconds, text

_HCM = "HttpConnectionManager"


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that this process opens to make calls.

    Attributes:
        host: the address that it is opened to; None if it is not known (a name could not be resolved).
        port: the port that it is opened to.
        source: the address that it comes from; None if it is not known.
        intercepted: whether it is opened to the provider, for the sidecar to intercept, and not to a
            listener of the sidecar's.
    """

    host: str | None
    port: int
    source: str | None = None
    intercepted: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener.

    Attributes:
        name: its name, or its address if it has none.
        drain_type: `DEFAULT` or `MODIFY_ONLY`.
        message: the whole `Listener` message.
    """

    name: str
    drain_type: str
    message: Json


@dataclass(frozen=True, slots=True)
class Manager:
    """An HTTP connection manager.

    Attributes:
        listener: the name of its listener.
        routes: its `RouteConfiguration`; None if that has not arrived, or cannot be known.
        routes_name: the name of the route configuration; empty if it has none.
        message: the whole `HttpConnectionManager` message.
    """

    listener: str
    routes: Json | None
    routes_name: str
    message: Json

    @property
    def stream_idle_timeout(self) -> float:
        """Seconds that a stream may be silent; 0 means for ever. Envoy's default is 5 minutes."""
        given = seconds(self.message, "stream_idle_timeout")
        return 300.0 if given is None else given

    @property
    def max_stream_duration(self) -> float:
        """Seconds that a stream may last; 0 means for ever."""
        return seconds(self.message, "common_http_protocol_options", "max_stream_duration") or 0.0


def listener_of(snapshot: Snapshot, connection: Connection) -> Listener | None:
    """The listener that a connection meets; None if there is none."""
    for message in snapshot.listeners:
        address = mapping(message, "address", "socket_address")
        if number(address, "port_value") == connection.port:
            name = text(message, "name") or f"{text(address, 'address')}:{connection.port}"
            return Listener(name, text(message, "drain_type") or "DEFAULT", message)
    return None


def outbound_ports(snapshot: Snapshot) -> Iterator[int]:
    """The ports of the listeners for calls that this process makes."""
    for message in snapshot.listeners:
        port = number(message, "address", "socket_address", "port_value")
        if port is not None and text(message, "traffic_direction") != "INBOUND":
            yield port


def manager_of(snapshot: Snapshot, listener: Listener, connection: Connection) -> Manager | None:
    """The connection manager in the filter chain that a connection matches; None if it has none: TCP only."""
    for chain in _chains(listener.message):
        for each in objects(chain, "filters"):
            message = mapping(each, "typed_config")
            if text(message, "@type").endswith(_HCM):
                return _manager(snapshot, listener, message)
    return None


def _chains(listener: Json) -> Iterator[Json]:
    yield from objects(listener, "filter_chains")
    if has(listener, "default_filter_chain"):
        yield mapping(listener, "default_filter_chain")


def _manager(snapshot: Snapshot, listener: Listener, message: Json) -> Manager:
    if has(message, "route_config"):
        routes = mapping(message, "route_config")
        return Manager(listener.name, routes, text(routes, "name"), message)
    name = text(message, "rds", "route_config_name")
    return Manager(listener.name, snapshot.routes.get(name), name, message)
