"""The configuration of one Envoy at one moment, by kind and name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .values import Json


@dataclass(slots=True)
class Snapshot:
    """What an Envoy has been configured with; of `/clusters`, the state of its hosts too.

    Attributes:
        listeners: `Listener` messages that accept connections.
        routes: `RouteConfiguration` messages by their names: those that listeners name, and inline ones.
        clusters: `Cluster` messages by their names.
        warming: names of clusters that wait for their endpoints or secrets.
        refused: what the Envoy has refused of the control plane's configuration: kind, name, and why.
        hosts: `HostStatus` messages by cluster; None if they are not known.
        version: of the Envoy, as (major, minor); None if it is not known.
    """

    listeners: list[Json] = field(default_factory=list[Json])
    routes: dict[str, Json] = field(default_factory=dict[str, Json])
    clusters: dict[str, Json] = field(default_factory=dict[str, Json])
    warming: set[str] = field(default_factory=set[str])
    refused: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    hosts: dict[str, Sequence[Json]] | None = None
    version: tuple[int, int] | None = None

    def add(self, document: object) -> None:
        """Adds what a document has: `/config_dump`, or `/clusters?format=json`.

        Raises:
            ValueError: it is neither.
        """
        from .documents import add

        add(self, document)
