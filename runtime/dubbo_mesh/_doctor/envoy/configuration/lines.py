"""Reads the answers of the admin endpoint that are lines: `/clusters`, of a support bundle, and `/stats`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .snapshot import Snapshot

_HOST = re.compile(r"(.+?)::(\[[^\]]*\]:\d+|[^:]+:\d+|[^:]+)::health_flags::(.*)")
_CLUSTER = re.compile(r"(.+)::observability_name::.*")
_STATISTIC = re.compile(r"([^:]+): (\d{1,19})")

_FLAGS = {
    "failed_active_hc": "failed_active_health_check",
    "failed_outlier_check": "failed_outlier_check",
    "degraded_active_hc": "failed_active_degraded_check",
    "pending_dynamic_removal": "pending_dynamic_removal",
    "pending_active_hc": "pending_active_hc",
    "excluded_via_immediate_hc_fail": "excluded_via_immediate_hc_fail",
    "active_hc_timeout": "active_hc_timeout",
}
"""Names in lines, and in JSON (Envoy's `HostUtility::healthFlagsToString` and `HostHealthStatus`)."""

_EDS_FLAGS = {
    "failed_eds_health": "UNHEALTHY",
    "degraded_eds_health": "DEGRADED",
    "eds_status_draining": "DRAINING",
}


def add_lines(snapshot: Snapshot, text: str) -> None:
    """Adds the hosts of `/clusters`, or the counters of `/stats` that matter.

    Raises:
        ValueError: the text is neither.
    """
    hosts: dict[str, list[dict[str, Any]]] = {}
    known = False
    for line in text.splitlines():
        if match := _HOST.fullmatch(line):
            hosts.setdefault(match[1], []).append(_host(match[2], match[3]))
        elif match := _CLUSTER.fullmatch(line):
            hosts.setdefault(match[1], [])
        elif match := _STATISTIC.fullmatch(line):
            known = True
            _add_statistic(snapshot, match[1], int(match[2]))
    if hosts:
        snapshot.kinds.add("hosts")
        snapshot.hosts = {**(snapshot.hosts or {}), **hosts}
    elif known:
        snapshot.kinds.add("stats")
    else:
        raise ValueError("neither JSON nor lines of Envoy's admin endpoint")


def _host(address: str, flags: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    health: dict[str, Any] = {}
    for each in flags.split("/"):
        if each in _FLAGS:
            health[_FLAGS[each]] = True
        elif each in _EDS_FLAGS:
            health["eds_health_status"] = _EDS_FLAGS[each]
    where = {"address": host.strip("[]"), "port_value": port}
    return {"address": {"socket_address": where}, "health_status": health}


def _add_statistic(snapshot: Snapshot, name: str, value: int) -> None:
    if name == "control_plane.connected_state":
        snapshot.connected = value > 0
    elif name.endswith(".update_rejected") and value:
        snapshot.rejections[name.removesuffix(".update_rejected")] = value
