"""The Envoy beside an app, with an ingress, an egress, or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from localmesh import AccessLog, Envoy, ReservedPort
from tests.sidecars.config import Json, socket_address
from tests.sidecars.listeners import Egress, Ingress
from tests.sidecars.services import MeshService


class StaticEnvoy(Envoy):
    """An Envoy with the listeners and clusters that it is given, and an admin port of its own.

    Args:
        name: Its node id and cluster, and the name of its directory.
        listeners: `Listener` messages as JSON.
        clusters: `Cluster` messages as JSON.
        bootstrap: Top-level keys to add to the bootstrap configuration, such as `layered_runtime`.
        directory: Where to put its files; None: a temporary one, removed at the end.

    Attributes:
        listeners: The listeners: what changes here counts at the next start.
        clusters: The clusters, likewise.
    """

    def __init__(
        self,
        name: str,
        listeners: Sequence[Json] = (),
        clusters: Sequence[Json] = (),
        *,
        bootstrap: Json | None = None,
        directory: Path | None = None,
    ) -> None:
        self.listeners = list(listeners)
        self.clusters = list(clusters)
        self._admin_port = ReservedPort()
        configuration = {
            "node": {"id": name, "cluster": name},
            "admin": {"address": socket_address(self._admin_port.address)},
            "static_resources": {"listeners": self.listeners, "clusters": self.clusters},
            **(bootstrap or {}),
        }
        super().__init__(name, configuration, admin=self._admin_port.address, directory=directory)

    def close(self) -> None:
        """Stops Envoy for good and gives its ports back."""
        super().close()
        self._admin_port.close()


class Sidecar(StaticEnvoy):
    """The Envoy beside an app: a consumer's has an egress, a provider's an ingress, or both.

    Args:
        name: Its node id and cluster, and the name of its directory.
        ingress: For the calls to the app; a string stands for `Ingress(app)`.
        egress: For the calls that the app makes; a list of services stands for `Egress(services)`.
        bootstrap: As of `StaticEnvoy`.
        directory: As of `StaticEnvoy`.

    Attributes:
        ingress_log: The requests to the app (health checks too).
        egress_log: The requests that the app made.
    """

    def __init__(
        self,
        name: str,
        *,
        ingress: Ingress | str | None = None,
        egress: Egress | Sequence[MeshService] | None = None,
        bootstrap: Json | None = None,
        directory: Path | None = None,
    ) -> None:
        super().__init__(name, bootstrap=bootstrap, directory=directory)
        self.ingress_log = AccessLog(self.directory / "ingress.jsonl")
        self.egress_log = AccessLog(self.directory / "egress.jsonl")
        self._ingress_port = self._egress_port = None
        if ingress is not None:
            ingress = Ingress(ingress) if isinstance(ingress, str) else ingress
            self._ingress_port = ReservedPort()
            self.listeners.append(ingress.to_listener(self.ingress, self.ingress_log.path))
            self.clusters.append(ingress.to_cluster())
        if egress is not None:
            egress = egress if isinstance(egress, Egress) else Egress(egress)
            self._egress_port = ReservedPort()
            self.listeners.append(egress.to_listener(name, self.egress, self.egress_log.path))
            self.clusters.extend(egress.to_clusters())

    @property
    def ingress(self) -> str:
        """`host:port` where others call the app; AttributeError for a sidecar without ingress."""
        if self._ingress_port is None:
            raise AttributeError(f"the sidecar {self.name} has no ingress")
        return self._ingress_port.address

    @property
    def egress(self) -> str:
        """`host:port` where the app calls others; AttributeError for a sidecar without egress."""
        if self._egress_port is None:
            raise AttributeError(f"the sidecar {self.name} has no egress")
        return self._egress_port.address

    def close(self) -> None:
        """Stops Envoy for good and gives its ports back."""
        super().close()
        for port in (self._ingress_port, self._egress_port):
            if port is not None:
                port.close()
