"""Which listener a connection meets, and what handles it there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..addresses import parsed, peer
from ..configuration.snapshot import Snapshot
from ..connection import Connection
from ..unknown import Unknown
from ..values import Json, at, flag, has, mapping, number, objects, seconds, text
from .filter_chains import filter_chain_of

__all__ = ["Closed", "Connection", "Listener", "Manager", "TcpProxy", "handler_of", "listener_of", "outbound"]

_HCM = "HttpConnectionManager"
_TCP_PROXY = "TcpProxy"


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

    @classmethod
    def of(cls, message: Json) -> Listener:
        """Reads a `Listener` message."""
        address = mapping(message, "address", "socket_address")
        name = f"{text(address, 'address')}:{number(address, 'port_value') or 0}"
        return cls(text(message, "name") or name, text(message, "drain_type") or "DEFAULT", message)


@dataclass(frozen=True, slots=True)
class Manager:
    """An HTTP connection manager.

    Attributes:
        listener: the name of its listener.
        routes: its `RouteConfiguration`; None if that has not arrived.
        routes_name: the name of the route configuration; empty if it has none.
        message: the whole `HttpConnectionManager` message.
        scoped: whether each request is given a route configuration of its own (`scoped_routes`), which cannot
            be known.
        tls: whether it expects TLS, so that a plaintext connection fails.
    """

    listener: str
    routes: Json | None
    routes_name: str
    message: Json
    scoped: bool = False
    tls: bool = False

    @property
    def max_stream_duration(self) -> float:
        """Seconds that a stream may last; 0 means for ever."""
        return seconds(self.message, "common_http_protocol_options", "max_stream_duration") or 0.0


class TcpProxy(NamedTuple):
    """What passes bytes on, and knows of no requests.

    Attributes:
        listener: the name of its listener.
        clusters: the clusters that it passes connections on to. `PassthroughCluster` is Istio's for what it
            does not know, and `BlackHoleCluster` the one that closes them.
        message: the whole `TcpProxy` message.
    """

    listener: str
    clusters: tuple[str, ...]
    message: Json


class Closed(NamedTuple):
    """Envoy closes the connection.

    Attributes:
        listener: the name of the listener.
        why: why it does.
    """

    listener: str
    why: str


def listener_of(snapshot: Snapshot, connection: Connection) -> Listener | Unknown | None:
    """The listener that a connection meets; None if there is none.

    The listener for exactly that address goes before those for all addresses. An intercepted connection comes
    in by the listener with `use_original_dst`, which hands it over to the one for the address that it was
    opened to; if there is none, it keeps the connection itself.
    """
    interceptor = None
    if connection.intercepted:
        interceptor = _interceptor(snapshot)
    every = [
        message
        for message in snapshot.listeners
        if _accepts(message, bound=interceptor is None and connection.host is not None)
    ]
    found = _by_address(every, connection)
    if isinstance(found, Unknown):
        return found
    return interceptor if found is None else Listener.of(found)


def intercepts(snapshot: Snapshot) -> bool:
    """Whether there is a listener for connections to everywhere."""
    return _interceptor(snapshot) is not None


def _interceptor(snapshot: Snapshot) -> Listener | None:
    return next((each for each in outbound(snapshot) if flag(each.message, "use_original_dst")), None)


def _by_address(every: Sequence[Json], connection: Connection) -> Json | Unknown | None:
    of_port = [
        (host, message) for message in every for host, port in _addresses(message) if port == connection.port
    ]
    if connection.host is None:
        if len({id(message) for _, message in of_port}) > 1:
            names = ", ".join(sorted(Listener.of(message).name for _, message in of_port))
            why = f"the address that is called is not known, and several listeners have its port: {names}"
            return Unknown(why)
        return of_port[0][1] if of_port else None
    wanted = peer(connection.host)
    for host, message in of_port:
        if wanted is not None and peer(host) == wanted:
            return message
    version = 4 if wanted is None else wanted.version
    for host, message in of_port:
        address = parsed(host)
        if address is None or not address.is_unspecified:
            continue
        if address.version == version or _compatible(message, host):
            return message
    return None


def _accepts(message: Json, *, bound: bool) -> bool:
    """Whether it is a listener for TCP; and, if asked for, one that has a socket of its own."""
    if (
        has(message, "api_listener")
        or has(message, "internal_listener")
        or has(message, "udp_listener_config")
    ):
        return False
    unbound = (
        flag(message, "bind_to_port") is False or flag(message, "deprecated_v1", "bind_to_port") is False
    )
    return not (bound and unbound)


def _addresses(message: Json) -> Iterator[tuple[str, int]]:
    """The addresses and ports that a listener is for."""
    for each in _socket_addresses(message):
        port = number(each, "port_value")
        if port is not None:
            yield text(each, "address"), port


def _compatible(message: Json, host: str) -> bool:
    """Whether a listener for all addresses of IPv6 takes those of IPv4 too."""
    return any(
        text(each, "address") == host and flag(each, "ipv4_compat") is True
        for each in _socket_addresses(message)
    )


def _socket_addresses(message: Json) -> Iterator[Json]:
    for each in (message, *objects(message, "additional_addresses")):
        yield mapping(each, "address", "socket_address")


def outbound(snapshot: Snapshot) -> Iterator[Listener]:
    """The listeners for calls that this process makes."""
    for message in snapshot.listeners:
        inbound = text(message, "traffic_direction") == "INBOUND"
        if not inbound and _accepts(message, bound=False) and any(_addresses(message)):
            yield Listener.of(message)


def handler_of(
    snapshot: Snapshot, listener: Listener, connection: Connection
) -> Manager | TcpProxy | Closed | Unknown:
    """What handles a connection that a listener takes."""
    chain = filter_chain_of(listener.message, connection)
    if isinstance(chain, Unknown):
        return chain
    if chain is None:
        return Closed(listener.name, "no filter chain matches the connection")
    before: list[str] = []
    for each in objects(chain, "filters"):
        message = mapping(each, "typed_config")
        kind = text(message, "@type")
        if kind.endswith(_HCM):
            return _manager(snapshot, listener, message, _expects_tls(chain))
        if kind.endswith(_TCP_PROXY):
            return TcpProxy(listener.name, _clusters(message), message)
        before.append(kind.rpartition("/")[2] or text(each, "name"))
    if not before:
        return Closed(listener.name, "its filter chain has no filters")
    return Unknown(f"listener {listener.name} handles connections by {', '.join(before)}")


def _expects_tls(chain: Json) -> bool:
    kind = text(chain, "transport_socket", "typed_config", "@type")
    return kind.endswith("DownstreamTlsContext")


def _clusters(proxy: Json) -> tuple[str, ...]:
    weighted = [text(each, "name") for each in objects(proxy, "weighted_clusters", "clusters")]
    return tuple(each for each in (text(proxy, "cluster"), *weighted) if each)


def _manager(snapshot: Snapshot, listener: Listener, message: Json, tls: bool) -> Manager:
    name, scoped = "", has(message, "scoped_routes")
    routes: Json | None = None
    if has(message, "route_config"):
        routes = mapping(message, "route_config")
        name = text(routes, "name")
    elif at(message, "rds") is not None:
        name = text(message, "rds", "route_config_name")
        routes = snapshot.routes.get(name)
    return Manager(listener.name, routes, name, message, scoped, tls)
