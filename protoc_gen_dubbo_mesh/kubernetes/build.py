"""Decides what is written for an application."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..mesh.wording import origins
from ..yaml.noted import Noted
from .model import (
    AppManifests,
    ContainerPort,
    Label,
    Patch,
    Probe,
    ServiceManifest,
    ServicePort,
    Sidecar,
    Termination,
    Variable,
)
from .pods import pods_of
from .settings import DEFAULT_DOMAIN, DEFAULT_PROBES, ending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..mesh.model import App, Mesh
    from ..policy.model import Duration
    from .pods import Pods
    from .settings import KubernetesSettings, Setting

SIDECAR_MARGIN = 5
"""Seconds that a classic sidecar goes on for after the application's own drain and grace."""

POD_MARGIN = 10
"""Seconds that a pod has beyond the application's drain and grace: for the end of calls that are cut off, and
for the sidecar. A native one is told to end after the application, and drains for 5 s
(`terminationDrainDuration` in Istio)."""

_NAME_LABEL = "app.kubernetes.io/name"
_RECOMMENDED = "app.kubernetes.io/"
"""The prefix of the labels that Kubernetes recommends."""

_PROBES = (
    # path, period and failures: a minute to start, and a readiness that is noticed within seconds.
    ("startupProbe", "/startup", 1, 60),
    ("readinessProbe", "/ready", 2, None),
    ("livenessProbe", "/live", 10, None),
)


def build(app: App, mesh: Mesh, settings: KubernetesSettings) -> AppManifests:
    """What is written for an application.

    Raises:
        GenerationError: something is configured that Kubernetes or the runtime refuses.
    """
    return AppManifests(
        app=app.name,
        sources=app.sources,
        service=_service(app, settings) if app.ports else None,
        patches=tuple(_patch(app, pods, mesh, settings) for pods in pods_of(app)),
        namespace=app.namespace or "" if app.stem != app.name else "",
    )


def deployment_of(app: App) -> str:
    """The name of an application's Deployment, or what the names of several begin with."""
    return app.settings.deployment or app.name


def _service(app: App, settings: KubernetesSettings) -> ServiceManifest:
    namespace = None if app.namespace is None else Noted(app.namespace, app.origin("namespace"))
    selector = tuple(_selecting(app, app.selector))
    recommended = {label.key: label for label in selector if label.key.startswith(_RECOMMENDED)}
    labels = {_NAME_LABEL: Label(_NAME_LABEL, app.name, "the app's name")} | recommended
    labels |= {key: Label(key, value, str(settings.labels.origin)) for key, value in settings.labels.value}
    return ServiceManifest(
        name=Noted(app.name, f"app: {app.origin('app')}"),
        namespace=namespace,
        labels=tuple(labels[key] for key in sorted(labels)),
        selector=selector,
        ports=tuple(ServicePort(port.name, port.number, port.origin) for port in app.ports),
    )


def _selecting(app: App, labels: Iterable[tuple[str, str]]) -> Iterable[Label]:
    """The labels, each with where it comes from."""
    for key, value in labels:
        setting = [service for service in app.services if (key, value) in (service.identity.labels or ())]
        set_at = origins(service.origin("labels") for service in setting)
        yield Label(key, value, f"labels: {set_at}" if setting else "the app's name")


def _patch(app: App, pods: Pods, mesh: Mesh, settings: KubernetesSettings) -> Patch:
    drain, grace = ending(app, mesh, settings)
    serves = bool(pods.ports)
    ports = [ContainerPort(port.number, port.origin) for port in pods.ports]
    probes: tuple[Probe, ...] = ()
    if serves and settings.probes.value is not None:
        port = settings.probes.value
        ports.append(ContainerPort(port, f"probes: {settings.probes.origin}"))
        probes = tuple(Probe(name, path, port, period, failures) for name, path, period, failures in _PROBES)
    return Patch(
        file=f"deployment{pods.suffix}.yaml",
        deployment=_configured(app, mesh, "deployment", pods.suffix),
        container=_configured(app, mesh, "container"),
        labels=tuple(_selecting(app, pods.labels)),
        sidecar=_sidecar(settings, _ending(SIDECAR_MARGIN, drain, grace) if serves else None),
        termination=_ending(POD_MARGIN, drain, grace) if serves else None,
        ports=tuple(ports),
        variables=tuple(_variables(app, mesh, settings, drain if serves else None)),
        probes=probes,
    )


def _configured(app: App, mesh: Mesh, key: str, suffix: str = "") -> Noted:
    """The name of the Deployment or the container."""
    name = getattr(app.settings, key)
    if name is None or mesh.values is None:
        return Noted(app.name + suffix, "default: the app's name")
    return Noted(name + suffix, str(mesh.values.origin(("apps", app.name, key))))


def _ending(margin: int, drain: Setting[Duration], grace: Setting[Duration]) -> Termination:
    """How long something has to last so that the application's servers have ended before."""
    return Termination(
        seconds=math.ceil(drain.value + grace.value) + margin,
        note=f"drain {_shown(drain)} + grace {_shown(grace)} + {margin} s",
    )


def _sidecar(settings: KubernetesSettings, ends: Termination | None) -> Sidecar | None:
    """How the sidecar is injected.

    Args:
        settings: `[kubernetes]`.
        ends: when it may end, after it was told to; None if nobody calls the application.
    """
    if settings.sidecar.value == "none":
        return None
    note = f"sidecar: {settings.sidecar.origin}"
    if settings.sidecar.value == "native":
        return Sidecar("true", note)
    if ends is None:
        return Sidecar("false", note, is_held_for=True)
    return Sidecar("false", note, is_held_for=True, drain=f"{ends.seconds}s", drain_note=ends.note)


def _variables(
    app: App, mesh: Mesh, settings: KubernetesSettings, drain: Setting[Duration] | None
) -> Iterable[Variable]:
    """The runtime's environment.

    Args:
        app: the application.
        mesh: the run.
        settings: `[kubernetes]`.
        drain: the drain of its servers; None if it has none.
    """
    yield Variable("DUBBO_MESH_APP", app.name, note="sent to providers as tri-consumer-appname")
    yield Variable("POD_NAMESPACE", field="metadata.namespace", note="of callees whose namespace is not set")
    if settings.cluster_domain.value != DEFAULT_DOMAIN:
        origin = str(settings.cluster_domain.origin)
        yield Variable("CLUSTER_DOMAIN", settings.cluster_domain.value, note=f"of callees; {origin}")
    yield Variable("POD_IP", field="status.podIP", note="for DUBBO_MESH_FORWARDED_FOR=pod")
    if mesh.enforced_by == "headers" and settings.sidecar.value != "none" and app.settings.calls != ():
        yield Variable(
            "DUBBO_MESH_FORWARDED_FOR", "pod", note="sidecars then honour timeout and retry headers"
        )
    if drain is None:
        return
    if drain.origin.where:
        yield Variable("DUBBO_MESH_DRAIN", f"{drain.value:.15g}", note=f"seconds; {drain.origin}")
    port = settings.probes.value
    if port != DEFAULT_PROBES:
        address = "off" if port is None else f"[::]:{port}"
        yield Variable("DUBBO_MESH_PROBES", address, note=str(settings.probes.origin))


def _shown(duration: Setting[Duration]) -> str:
    return f"{duration.value:g} s ({duration.origin.where or duration.origin})"
