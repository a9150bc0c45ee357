"""Ports of an application that something else in its pods needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError

if TYPE_CHECKING:
    from ..mesh.model import App
    from .settings import KubernetesSettings

OF_SIDECARS = {
    15000: "Envoy's admin endpoint",
    15001: "outbound traffic",
    15004: "debugging",
    15006: "inbound traffic",
    15008: "HBONE tunnels",
    15020: "metrics and the agent's status",
    15021: "the sidecar's own health",
    15053: "DNS",
    15090: "Envoy's metrics",
}
"""The ports that Istio reserves for its sidecars, and what for (`istioReservedPorts` in pilot-agent).

A pod has one network namespace: of the sidecar and an application on the same port, one cannot listen.
"""


def check_probes(settings: KubernetesSettings) -> None:
    """Checks that the probes' port is none of the sidecar's.

    Raises:
        GenerationError: it is.
    """
    port = settings.probes.value
    if port in OF_SIDECARS and settings.sidecar.value != "none":
        raise GenerationError(
            f"kubernetes.probes is {port}, which Istio's sidecar uses, for {OF_SIDECARS[port]}: set another "
            'port, or sidecar = "none" if pods have no sidecar',
            settings.probes.origin.where,
        )


def check(app: App, settings: KubernetesSettings) -> None:
    """Checks that the application's ports are neither the probes' nor the sidecar's.

    Raises:
        GenerationError: one is.
    """
    for port in app.ports:
        if port.number == settings.probes.value:
            also = f"is that of Kubernetes' probes, which are HTTP ({settings.probes.origin})"
            remedy = "set another one, or `probes` in [kubernetes]"
        elif port.number in OF_SIDECARS and settings.sidecar.value != "none":
            also = f"is one that Istio's sidecar uses, for {OF_SIDECARS[port.number]}"
            remedy = 'set another one, or sidecar = "none" in [kubernetes] if pods have no sidecar'
        else:
            continue
        service = port.services[0]
        raise GenerationError(
            f"app {app.name}: port {port.number} of service {service.name} {also}: {remedy}",
            service.where("port"),
        )
