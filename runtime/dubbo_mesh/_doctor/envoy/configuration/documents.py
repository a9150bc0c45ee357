"""Which documents a snapshot can be made of: answers of the admin endpoint, and what istioctl prints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..values import Json, at, has, mapping, number, objects, text
from .camel_case import to_snake_case
from .snapshot import Refused, lb_endpoints

if TYPE_CHECKING:
    from .snapshot import Snapshot

_IN_CAMEL_CASE = frozenset(
    (
        "versionInfo",
        "dynamicListeners",
        "dynamicRouteConfigs",
        "dynamicActiveClusters",
        "dynamicEndpointConfigs",
    )
)
_VERSION = re.compile(r"[0-9a-zA-Z]*/(\d{1,4})\.(\d{1,4})\.")


def add(snapshot: Snapshot, document: object) -> None:
    """Adds what `document` has to `snapshot`.

    It is one of:

    * an answer of the admin endpoint to `/config_dump`, also of one `resource`, `/clusters?format=json` or
      `/server_info`;
    * the same of istiod, in camel case (`/debug/config_dump?proxyID=pod.namespace`, pilot/pkg/xds/debug.go);
    * what `istioctl proxy-config all|bootstrap|listeners|routes|clusters|endpoints -o json` prints. But for
      `all`, which is Envoy's own answer, and `bootstrap`, these are lists of messages in camel case
      (istioctl/pkg/writer/envoy).

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(document, list):
        _add_list(snapshot, cast("list[object]", to_snake_case(cast("object", document))))
    elif isinstance(at(document, "configs"), list):
        for section in objects(document, "configs"):
            camel_case = _IN_CAMEL_CASE.intersection(section)
            _add_section(snapshot, cast("Json", to_snake_case(section)) if camel_case else section)
    elif isinstance(at(document, "cluster_statuses"), list):
        _add_statuses(snapshot, objects(document, "cluster_statuses"))
    elif text(document, "state") and text(document, "version"):
        _add_server_info(snapshot, document)
    elif has(document, "bootstrap"):
        _add_bootstrap(snapshot, cast("Json", to_snake_case(document)))
    else:
        raise ValueError("it is no configuration of an Envoy")


def _add_list(snapshot: Snapshot, items: list[object]) -> None:
    """What istioctl prints. It leaves out unset fields, so that the others must tell what a message is."""
    messages = [cast("Json", each) for each in items if isinstance(each, dict)]
    if not messages:
        raise ValueError("it is an empty list, which does not tell what it is of")
    known = 0
    for message in messages:
        known += 1
        if "host_statuses" in message:
            _add_statuses(snapshot, [message])
            snapshot.all_hosts = False  # clusters without hosts, and what a filter excludes, are left out
        elif "virtual_hosts" in message:
            _add_routes(snapshot, message)
        elif "filter_chains" in message or "listener_filters" in message or "traffic_direction" in message:
            snapshot.kinds.add("listeners")
            snapshot.listeners.append(message)
        elif "type" in message or "cluster_type" in message or "connect_timeout" in message:
            _add_cluster(snapshot, message)
            snapshot.dynamic_clusters += 1
        elif "endpoints" in message or "cluster_name" in message:
            _add_assignment(snapshot, message)
        elif "address" in message:
            snapshot.kinds.add("listeners")
            snapshot.listeners.append(message)
        elif "validate_clusters" in message:
            _add_routes(snapshot, message)
        else:
            known -= 1
    if not known:
        raise ValueError("it is a list, but not of an Envoy's listeners, routes, clusters or endpoints")


def _add_section(snapshot: Snapshot, section: Json) -> None:
    kind = text(section, "@type").rpartition(".")[2]
    if kind == "BootstrapConfigDump":
        _add_bootstrap(snapshot, section)
    elif kind == "ListenersConfigDump":
        snapshot.kinds.add("listeners")
        for each in objects(section, "static_listeners"):
            _add_listener(snapshot, each)
        for each in objects(section, "dynamic_listeners"):
            _add_listener(snapshot, each)
    elif kind == "RoutesConfigDump":
        snapshot.kinds.add("routes")
        for group in ("static_route_configs", "dynamic_route_configs"):
            for each in objects(section, group):
                _add_route_entry(snapshot, each)
    elif kind == "ClustersConfigDump":
        snapshot.kinds.add("clusters")
        for each in objects(section, "static_clusters"):
            _add_cluster(snapshot, mapping(each, "cluster"))
        for each in objects(section, "dynamic_active_clusters"):
            _add_cluster(snapshot, mapping(each, "cluster"))
            snapshot.dynamic_clusters += 1
        for each in objects(section, "dynamic_warming_clusters"):
            _add_warming(snapshot, each)
    elif kind == "EndpointsConfigDump":
        for group in ("static_endpoint_configs", "dynamic_endpoint_configs"):
            for each in objects(section, group):
                _add_assignment(snapshot, mapping(each, "endpoint_config"))
    # Of one `resource` the answer has the entries themselves.
    elif kind == "DynamicListener" or kind == "StaticListener":
        snapshot.kinds.add("listeners")
        _add_listener(snapshot, section)
    elif kind == "DynamicRouteConfig" or kind == "StaticRouteConfig":
        _add_route_entry(snapshot, section)
    elif kind == "DynamicCluster" or kind == "StaticCluster":
        _add_cluster(snapshot, mapping(section, "cluster"))


def _add_bootstrap(snapshot: Snapshot, section: Json) -> None:
    snapshot.kinds.add("bootstrap")
    snapshot.bootstrap = mapping(section, "bootstrap")
    version = mapping(snapshot.bootstrap, "node", "user_agent_build_version", "version")
    major, minor = number(version, "major_number"), number(version, "minor_number")
    if major is not None and minor is not None:
        snapshot.version = (major, minor)


def _add_server_info(snapshot: Snapshot, document: object) -> None:
    snapshot.kinds.add("server_info")
    snapshot.state = text(document, "state")
    match = _VERSION.match(text(document, "version"))
    if match:
        snapshot.version = (int(match[1]), int(match[2]))


def _add_listener(snapshot: Snapshot, entry: Json) -> None:
    name = text(entry, "name")
    for message in (mapping(entry, "active_state", "listener"), mapping(entry, "listener")):
        if message:
            snapshot.listeners.append(message)
    if has(entry, "warming_state") and not has(entry, "active_state"):
        snapshot.warming_listeners.append(mapping(entry, "warming_state", "listener"))
    _note_refusal(snapshot, "listener", name, entry)


def _add_route_entry(snapshot: Snapshot, entry: Json) -> None:
    routes = mapping(entry, "route_config")
    _add_routes(snapshot, routes)
    _note_refusal(snapshot, "route configuration", text(routes, "name"), entry)


def _add_routes(snapshot: Snapshot, routes: Json) -> None:
    snapshot.kinds.add("routes")
    if routes:
        snapshot.routes[text(routes, "name")] = routes


def _add_cluster(snapshot: Snapshot, cluster: Json) -> None:
    snapshot.kinds.add("clusters")
    if cluster:
        snapshot.clusters[text(cluster, "name")] = cluster


def _add_warming(snapshot: Snapshot, entry: Json) -> None:
    name = text(entry, "cluster", "name")
    snapshot.warming.add(name)
    snapshot.dynamic_clusters += 1
    _note_refusal(snapshot, "cluster", name, entry)


def _note_refusal(snapshot: Snapshot, kind: str, name: str, entry: Json) -> None:
    if has(entry, "error_state"):
        # A listener that never was accepted has its name in what was refused only.
        name = name or text(entry, "error_state", "failed_configuration", "name")
        refused = Refused(kind, name, text(entry, "error_state", "details"))
        if refused not in snapshot.refused[-2:]:  # one that was accepted before is there twice
            snapshot.refused.append(refused)


def _add_statuses(snapshot: Snapshot, statuses: Iterator[Json] | Sequence[Json]) -> None:
    snapshot.kinds.add("hosts")
    if snapshot.hosts is None:
        snapshot.hosts = {}
    for cluster in statuses:
        snapshot.hosts[text(cluster, "name")] = list(objects(cluster, "host_statuses"))


def _add_assignment(snapshot: Snapshot, assignment: Json) -> None:
    """Adds the hosts of a `ClusterLoadAssignment`."""
    name = text(assignment, "cluster_name")
    hosts: list[Json] = []
    for each in lb_endpoints(assignment):
        health: dict[str, Any] = {"eds_health_status": text(each, "health_status") or "HEALTHY"}
        if health["eds_health_status"] == "UNHEALTHY":
            health["unknown_cause"] = True  # Envoy's dump sums up its own checks and EDS' verdict
        hosts.append({"address": mapping(each, "endpoint", "address"), "health_status": health})
    snapshot.kinds.add("hosts")
    snapshot.assigned[name] = hosts
