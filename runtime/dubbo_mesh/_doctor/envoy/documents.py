"""Which documents a snapshot can be made of: the answers of the admin endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .values import Json, at, has, mapping, number, objects, text

if TYPE_CHECKING:
    from .snapshot import Snapshot


def add(snapshot: Snapshot, document: object) -> None:
    """Adds what `document` has to `snapshot`.

    Raises:
        ValueError: it is not an answer of Envoy's admin endpoint.
    """
    if isinstance(at(document, "configs"), list):
        for section in objects(document, "configs"):
            _add_section(snapshot, section)
    elif isinstance(at(document, "cluster_statuses"), list):
        hosts = snapshot.hosts if snapshot.hosts is not None else {}
        for cluster in objects(document, "cluster_statuses"):
            hosts[text(cluster, "name")] = list(objects(cluster, "host_statuses"))
        snapshot.hosts = hosts
    else:
        raise ValueError("neither a config_dump of Envoy nor its clusters")  # noqa: TRY004 - the type is as expected


def _add_section(snapshot: Snapshot, section: Json) -> None:
    kind = text(section, "@type").rpartition(".")[2]
    if kind == "BootstrapConfigDump":
        version = mapping(section, "bootstrap", "node", "user_agent_build_version", "version")
        major, minor = number(version, "major_number"), number(version, "minor_number")
        if major is not None and minor is not None:
            snapshot.version = (major, minor)
    elif kind == "ListenersConfigDump":
        snapshot.listeners.extend(mapping(each, "listener") for each in objects(section, "static_listeners"))
        for each in objects(section, "dynamic_listeners"):
            if has(each, "active_state", "listener"):
                snapshot.listeners.append(mapping(each, "active_state", "listener"))
            _note_refusal(snapshot, "listener", text(each, "name"), each)
    elif kind == "RoutesConfigDump":
        for group in ("static_route_configs", "dynamic_route_configs"):
            for each in objects(section, group):
                routes = mapping(each, "route_config")
                snapshot.routes[text(routes, "name")] = routes
                _note_refusal(snapshot, "route configuration", text(routes, "name"), each)
    elif kind == "ClustersConfigDump":
        for group in ("static_clusters", "dynamic_active_clusters"):
            for each in objects(section, group):
                cluster = mapping(each, "cluster")
                snapshot.clusters[text(cluster, "name")] = cluster
                _note_refusal(snapshot, "cluster", text(cluster, "name"), each)
        for each in objects(section, "dynamic_warming_clusters"):
            name = text(each, "cluster", "name")
            snapshot.warming.add(name)
            _note_refusal(snapshot, "cluster", name, each)


def _note_refusal(snapshot: Snapshot, kind: str, name: str, entry: Json) -> None:
    if has(entry, "error_state"):
        snapshot.refused.append((kind, name, text(entry, "error_state", "details")))
