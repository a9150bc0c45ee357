"""The configuration of one Envoy at one moment, by kind and name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ..values import Json, mapping, objects

Kind = Literal["bootstrap", "listeners", "routes", "clusters", "hosts", "server_info", "stats"]
"""What documents tell of. A file need not have all of it."""


class Refused(NamedTuple):
    """Configuration that the Envoy has refused, and goes on without.

    Attributes:
        kind: such as `listener`.
        name: its name; empty if it has none.
        details: why, in Envoy's words.
    """

    kind: str
    name: str
    details: str


@dataclass(slots=True)
class Snapshot:
    """What an Envoy has been configured with; of `/clusters`, the state of its hosts too.

    Attributes:
        kinds: what is known. What is not may be empty below although the Envoy has it.
        listeners: `Listener` messages that accept connections.
        warming_listeners: `Listener` messages of those that do not accept connections yet.
        routes: `RouteConfiguration` messages by their names: those that listeners name, and inline ones.
        clusters: `Cluster` messages by their names.
        warming: names of clusters that wait for their endpoints or secrets.
        refused: what the Envoy has refused of the control plane's configuration.
        rejections: how many updates it has refused since its start, by what `update_rejected` counts: such as
            `cluster_manager.cds`.
        hosts: `HostStatus` messages by cluster; None if they are not known.
        assigned: `HostStatus` messages by cluster, with as much of them as is known from endpoints in a
            dump. What is in `hosts` tells more.
        all_hosts: whether a cluster that is in neither of them has no hosts.
        version: of the Envoy, as (major, minor); None if it is not known.
        state: of the server, as `/server_info` has it: `LIVE`, `DRAINING`, `PRE_INITIALIZING` or
            `INITIALIZING`. Empty if it is not known.
        bootstrap: the `Bootstrap` message.
        dynamic_clusters: how many clusters the control plane has given it.
        connected: whether it is connected to the control plane; None if it is not known, or has none.
    """

    kinds: set[Kind] = field(default_factory=set[Kind])
    listeners: list[Json] = field(default_factory=list[Json])
    warming_listeners: list[Json] = field(default_factory=list[Json])
    routes: dict[str, Json] = field(default_factory=dict[str, Json])
    clusters: dict[str, Json] = field(default_factory=dict[str, Json])
    warming: set[str] = field(default_factory=set[str])
    refused: list[Refused] = field(default_factory=list[Refused])
    rejections: dict[str, int] = field(default_factory=dict[str, int])
    hosts: dict[str, Sequence[Json]] | None = None
    assigned: dict[str, Sequence[Json]] = field(default_factory=dict[str, Sequence[Json]])
    all_hosts: bool = True
    version: tuple[int, int] | None = None
    state: str = ""
    bootstrap: Json = field(default_factory=dict[str, Any])
    dynamic_clusters: int = 0
    connected: bool | None = None
    found: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any], repr=False)
    """Clusters that have been read, by name and priority; for `clusters.cluster_of` alone."""

    @property
    def runtime(self) -> Json:
        """Values of the runtime by their keys, as far as they are configured at the start."""
        values: dict[str, object] = {}
        for layer in objects(self.bootstrap, "layered_runtime", "layers"):
            values.update(mapping(layer, "static_layer"))
        return values

    def hosts_of(self, cluster: str) -> Sequence[Json] | None:
        """The `HostStatus` messages of a cluster; None if they are not known."""
        for hosts in (self.hosts or {}, self.assigned):
            if cluster in hosts:
                return hosts[cluster]
        return () if "hosts" in self.kinds and self.all_hosts else None

    def add(self, document: object) -> None:
        """Adds what a document has: an answer of the admin endpoint, or what `istioctl proxy-config` prints.

        Raises:
            ValueError: it is none of these.
        """
        from .documents import add

        add(self, document)

    def add_lines(self, text: str) -> None:
        """Adds what an answer of the admin endpoint that is no JSON has: `/clusters` or `/stats`.

        Raises:
            ValueError: it is neither.
        """
        from .lines import add_lines

        add_lines(self, text)


def network_filters(listener: Json) -> Iterator[Json]:
    """The messages of all filters in the filter chains of a `Listener`."""
    for chain in (*objects(listener, "filter_chains"), mapping(listener, "default_filter_chain")):
        for each in objects(chain, "filters"):
            yield mapping(each, "typed_config")


def lb_endpoints(assignment: Json) -> Iterator[Json]:
    """The `LbEndpoint` messages of a `ClusterLoadAssignment`, whatever their locality."""
    for locality in objects(assignment, "endpoints"):
        yield from objects(locality, "lb_endpoints")
