"""A stock Envoy that Istio's control plane configures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from localmesh import Envoy, ReservedPort, wait_until
from tests.istio.cluster import Pod
from tests.sidecars.config import HTTP_OPTIONS

_ADS: Mapping[str, Any] = {"ads": {}, "resource_api_version": "V3"}
_XDS = "xds-grpc"


class XdsServer(Protocol):
    """What configures sidecars."""

    @property
    def address(self) -> str:
        """`host:port` of its xDS."""
        ...

    @property
    def rejections(self) -> list[str]:
        """What Envoys have said against the configuration that they got."""
        ...


class IstioSidecar(Envoy):
    """The sidecar of a pod.

    Args:
        pod: Whose sidecar it is.
        control_plane: Where its configuration comes from.
        directory: Where to put its files.
    """

    def __init__(self, pod: Pod, control_plane: XdsServer, directory: Path) -> None:
        self._reserved = ReservedPort()
        super().__init__(
            pod.name,
            _bootstrap(pod.node(), control_plane.address, self._reserved.address),
            admin=self._reserved.address,
            directory=directory / pod.name,
        )

    def close(self) -> None:
        """Stops Envoy, and gives its port back."""
        super().close()
        self._reserved.close()

    def wait_configured(self, *, routes: bool = True) -> None:
        """Waits until the control plane's configuration is in force.

        Args:
            routes: Whether there are outbound routes to wait for.
        """
        # A listener is listed before it accepts, and ready does not mean that there are routes.
        wait_until(lambda: self._updated("listener_manager.lds"), what="Envoy has listeners")
        if routes:
            wait_until(lambda: self._updated(r"http\.\S+\.rds\.\S+"), what="Envoy has routes")
        wait_until(
            lambda: self.admin.stat("listener_manager.total_listeners_warming") == 0,
            what="all listeners accept",
        )

    @property
    def rejections(self) -> list[str]:
        """What it has refused of the configuration. The texts differ from run to run."""
        return re.findall(r"config.*rejected.*", self.process.log.read_text(errors="replace"))

    def routes(self) -> str:
        """The routes that it got, as text."""
        return self.admin.get("/config_dump?resource=dynamic_route_configs")

    def clusters(self) -> set[str]:
        """The names of all clusters."""
        return {line.partition("::")[0] for line in self.admin.get("/clusters").splitlines()}

    def _updated(self, prefix: str) -> bool:
        pattern = re.compile(rf"{prefix}\.update_success$")
        return any(value and pattern.match(name) for name, value in self.admin.stats().items())


def _bootstrap(node: Mapping[str, Any], control_plane: str, admin: str) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(control_plane)}}
    options: Mapping[str, Any] = {
        "@type": f"type.googleapis.com/{HTTP_OPTIONS}",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    cluster: Mapping[str, Any] = {
        "name": _XDS,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {HTTP_OPTIONS: options},
        "load_assignment": {"cluster_name": _XDS, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    ads = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": _XDS}}],
    }
    return {
        "node": node,
        "admin": {"address": _address(admin)},
        "dynamic_resources": {"lds_config": _ADS, "cds_config": _ADS, "ads_config": ads},
        "static_resources": {"clusters": [cluster]},
    }


def _address(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
