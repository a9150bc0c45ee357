"""The hosts of a cluster, and what Envoy holds of their health."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...._contract.validation import host_port
from ..values import Json, flag, mapping, number, objects, text


class Cause(Enum):
    """Why a host is unhealthy, in the order in which the causes explain it best."""

    LEAVING = "its own sidecar says that it is going down"
    NOT_CHECKED = "its first health check is not over"
    CHECK_TIMEOUT = "does not answer active health checks in time"
    CHECK = "fails active health checks"
    EJECTED = "ejected as an outlier"
    DRAINING = "the control plane says that it is draining"
    CONTROL_PLANE = "the control plane says that it is unhealthy"
    UNKNOWN = "unhealthy"


@dataclass(frozen=True, slots=True)
class Host:
    """A host of a cluster.

    Attributes:
        address: `host:port`, or what else its address is.
        cause: why it is unhealthy, so that it gets no requests; None if it is healthy.
        excluded: whether Envoy leaves it out of the count that the panic threshold is compared with.
        priority: 0 is the highest.
        connections: connections that were made or tried.
        failed_connections: those of them that failed.
    """

    address: str
    cause: Cause | None
    excluded: bool
    priority: int
    connections: int
    failed_connections: int

    @property
    def healthy(self) -> bool:
        """Whether it gets requests."""
        return self.cause is None

    @property
    def unreachable(self) -> bool:
        """Whether every connection to it has failed so far."""
        return 0 < self.connections <= self.failed_connections


def host_of(status: Json) -> Host:
    """Reads a `HostStatus` message."""
    health = mapping(status, "health_status")
    eds = text(health, "eds_health_status")
    excluded = flag(health, "excluded_via_immediate_hc_fail") is True
    pending = flag(health, "pending_active_hc") is True
    statistics = {text(each, "name"): number(each, "value") or 0 for each in objects(status, "stats")}
    return Host(
        _address(mapping(status, "address")),
        _cause(health, eds),
        excluded or pending,
        number(status, "priority") or 0,
        statistics.get("cx_total", 0),
        statistics.get("cx_connect_fail", 0),
    )


def _cause(health: Json, eds: str) -> Cause | None:
    if flag(health, "failed_active_health_check"):
        if flag(health, "excluded_via_immediate_hc_fail"):
            return Cause.LEAVING
        if flag(health, "pending_active_hc"):
            return Cause.NOT_CHECKED
        return Cause.CHECK_TIMEOUT if flag(health, "active_hc_timeout") else Cause.CHECK
    if flag(health, "failed_outlier_check"):
        return Cause.EJECTED
    if flag(health, "unknown_cause"):
        return Cause.UNKNOWN
    if eds == "DRAINING":
        return Cause.DRAINING
    return Cause.CONTROL_PLANE if eds in ("UNHEALTHY", "TIMEOUT") else None


def _address(address: Json) -> str:
    socket = mapping(address, "socket_address")
    if socket:
        return host_port(text(socket, "address"), number(socket, "port_value") or 0)
    internal = text(address, "envoy_internal_address", "server_listener_name")
    return text(address, "pipe", "path") or internal or "an address of another kind"
