"""What Istio's configuration of sidecars tells of Services.

Their addresses tell which listener a connection meets where the Service's name cannot be resolved: with a
configuration that was saved elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..addresses import parsed
from ..values import Json, mapping, number, objects, text, texts
from .snapshot import Snapshot, network_filters

PASSTHROUGH, BLACK_HOLE = "PassthroughCluster", "BlackHoleCluster"
"""Istio's clusters for connections to what the mesh does not know (pilot/pkg/util/constant.go)."""

_ANY = ("0.0.0.0", "::")  # noqa: S104 - they are not listened on


def is_istio(snapshot: Snapshot) -> bool:
    """Whether the configuration is Istio's, by the names of its clusters."""
    clusters = snapshot.clusters
    return BLACK_HOLE in clusters and any(name.startswith("outbound|") for name in clusters)


def cluster_of_host(snapshot: Snapshot, subset: str) -> Json | None:
    """The `Cluster` of the whole Service, by the name of one for a subset; None if there is none.

    Its metadata names the DestinationRule that counts for both.
    """
    parts = subset.split("|")  # outbound|port|subset|host
    if len(parts) != 4 or not parts[2]:
        return None
    return snapshot.clusters.get("|".join((*parts[:2], "", parts[3])))


def address_of(snapshot: Snapshot, host: str, port: int) -> str:
    """An address that meets the same listener as the address of the Service does.

    It is that of the Service, if the configuration has it: as the address of a listener for this Service
    alone (its port has no name, or one for TCP), or among the domains of its virtual host. If it does not
    have it, the Service is headless or not known, and no listener is for its address alone.

    Args:
        snapshot: the configuration.
        host: the Service's full name.
        port: its port.
    """
    every = {text(address, "address"): each for each, address in _listeners(snapshot, port)}
    for address, listener in every.items():
        if address not in _ANY and _is_for(listener, host, port):
            return address
    routes = snapshot.routes.get(str(port), {})
    for each in objects(routes, "virtual_hosts"):
        domains = texts(each, "domains")
        if host in domains:
            found = (domain.strip("[]") for domain in domains)
            return next((domain for domain in found if parsed(domain) is not None), _any(every))
    return _any(every)


def _listeners(snapshot: Snapshot, port: int) -> Iterator[tuple[Json, Json]]:
    """The listeners for calls to a port, each with its address."""
    for each in snapshot.listeners:
        address = mapping(each, "address", "socket_address")
        if number(address, "port_value") == port and text(each, "traffic_direction") != "INBOUND":
            yield each, address


def _any(addresses: dict[str, Json]) -> str:
    return next((each for each in _ANY if each in addresses), _ANY[0])


def _is_for(listener: Json, host: str, port: int) -> bool:
    """Whether a listener is for one Service: its routes, or its cluster, are called after that."""
    for filter in network_filters(listener):
        if text(filter, "rds", "route_config_name") == f"{host}:{port}":
            return True
        if text(filter, "cluster").split("|")[3:] == [host]:  # outbound|port|subset|host
            return True
    return False
