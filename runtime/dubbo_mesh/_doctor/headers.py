"""Checks whether the sidecar honours the timeout and retry headers of this process's calls.

Envoy removes them from requests that it does not consider internal; the rules were measured on Envoy 1.40.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from .._addressing.environment import Environment
from .finding import Finding

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


class _Distrust(NamedTuple):
    """Why a connection manager considers our requests external, and what to do about it."""

    reason: str
    remedy: str


def check_headers(dump: Any, environment: Environment) -> Finding:
    """Judges the listeners for outgoing calls.

    Args:
        dump: the answer of the admin endpoint's `/config_dump`.
        environment: of this process.
    """
    managers = list(_connection_managers(dump, environment))
    if not managers:
        finding = "the sidecar has no HTTP listener for outgoing calls"
        return Finding("headers", "failed", finding, "look at its configuration")
    for listener, manager in managers:
        distrust = _distrust(manager, environment.forwarded_for)
        if distrust is not None:
            finding = f"listener {listener} drops timeout and retry headers: {distrust.reason}"
            return Finding("headers", "failed", finding, distrust.remedy)
    listeners = ", ".join(dict.fromkeys(listener for listener, _ in managers))
    return Finding("headers", "ok", f"timeout and retry headers are honoured ({listeners})")


def _connection_managers(dump: Any, environment: Environment) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the HTTP connection managers that outgoing calls can pass, with the names of their listeners."""
    egress_port = int(environment.egress.rpartition(":")[2]) if environment.egress is not None else None
    for listener in _dicts_with(dump, "filter_chains", "default_filter_chain"):
        if listener.get("traffic_direction") == "INBOUND":
            continue
        bound = listener.get("address", {}).get("socket_address", {}).get("port_value")
        if egress_port is not None and bound != egress_port:
            continue
        for typed in _dicts_with(listener, "@type"):
            if typed["@type"].endswith(_HCM):
                yield str(listener.get("name", bound)), typed


def _dicts_with(node: Any, *keys: str) -> Iterator[dict[str, Any]]:
    """Yields the objects, at any depth, that have one of the keys."""
    if isinstance(node, dict):
        known = cast("dict[str, Any]", node)
        if any(key in known for key in keys):
            yield known
        for value in known.values():
            yield from _dicts_with(value, *keys)
    elif isinstance(node, list):
        for value in cast("list[object]", node):
            yield from _dicts_with(value, *keys)


def _distrust(manager: dict[str, Any], forwarded_for: str | None) -> _Distrust | None:
    """Returns why this connection manager considers our requests external; None if it does not."""
    internal = manager.get("internal_address_config", {}).get("cidr_ranges", [])
    if not internal:
        return _Distrust(
            "no address counts as internal",
            "give it an internal_address_config, or leave timeouts and retries to its routes",
        )
    if manager.get("use_remote_address"):
        if forwarded_for is None:
            return None
        return _Distrust(
            "use_remote_address is on, and DUBBO_MESH_FORWARDED_FOR makes every request external there",
            "set DUBBO_MESH_FORWARDED_FOR to off",
        )
    if forwarded_for is None:
        return _Distrust(
            "it goes by x-forwarded-for (use_remote_address is off), and none is sent",
            "set DUBBO_MESH_FORWARDED_FOR to an address of its internal_address_config",
        )
    address = ipaddress.ip_address(forwarded_for)
    networks = (f"{each.get('address_prefix')}/{each.get('prefix_len', 0)}" for each in internal)
    if any(address in ipaddress.ip_network(network, strict=False) for network in networks):
        return None
    return _Distrust(
        f"DUBBO_MESH_FORWARDED_FOR is {forwarded_for}, which is not in its internal_address_config",
        "set it to an address that is, or add this one",
    )
