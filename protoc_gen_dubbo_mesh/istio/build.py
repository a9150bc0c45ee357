"""What Istio is to know of an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..mesh.durations import kubernetes, protobuf
from ..mesh.wording import sources
from ..policy.provenance import Origin
from ..yaml.noted import Noted
from .model import AppFile, HealthChecks, InternalAddresses, Outliers, Sidecar, Subset
from .routes import entries

if TYPE_CHECKING:
    from ..mesh.calls import Callee, Calls
    from ..mesh.model import App, Mesh
    from .settings import IstioSettings, OutlierDetection

_CONTROL_PLANE = "istio-system/*"


def app_file(
    app: App, calls: Calls, settings: IstioSettings, addresses: InternalAddresses | None, *, by_headers: bool
) -> AppFile | None:
    """The file of an application; None if Istio need not know anything of it.

    Args:
        app: the application.
        calls: between all applications.
        settings: what `[istio]` sets.
        addresses: the file with the addresses whose headers count, if there is one.
        by_headers: whether stubs ask for timeouts and retries, and not routes.

    Raises:
        GenerationError: something cannot be written as it is configured.
    """
    applied = settings.of(app.name)
    file = AppFile(
        path=f"istio/{app.stem}.yaml",
        sources=sources(app.sources),
        name=app.name,
        host=Noted(app.name, app.origin("app")),
        namespace=None if app.namespace is None else Noted(app.namespace, app.origin("namespace")),
        labels=app.selector,
        by_headers=by_headers,
        internal_addresses=addresses.path if addresses else "",
        entries=entries(app, by_headers=by_headers) if app.ports else (),
        subsets=_subsets(app),
        outliers=_outliers(applied.outlier_detection) if app.ports else None,
        health_checks=_health_checks(app, calls, settings) if app.ports else None,
        sidecar=_sidecar(app, calls, settings.cluster_domain),
    )
    return file if app.ports or file.sidecar else None


def internal_addresses(mesh: Mesh, settings: IstioSettings) -> InternalAddresses | None:
    """The file with the addresses whose headers count; None if it is not needed."""
    ranges = settings.internal_ranges(by_headers=mesh.enforced_by == "headers")
    callers = [app for app in mesh.apps if app.settings.calls != ()]
    namespaces = sorted({app.namespace for app in callers}, key=lambda namespace: namespace or "")
    if not ranges or not namespaces:
        return None
    return InternalAddresses(
        path="istio/internal-addresses.yaml",
        sources=sources(source for app in mesh.apps for source in app.sources),
        note=str(settings.internal_addresses_origin),
        ranges=tuple([_address_and_length(each) for each in ranges]),
        namespaces=tuple(namespaces),
    )


def _address_and_length(of: str) -> tuple[str, int]:
    address, _, length = of.partition("/")
    return address, int(length)


def _subsets(app: App) -> tuple[Subset, ...]:
    return tuple([Subset(Noted(subset.name, subset.origin), subset.labels) for subset in app.subsets])


def _outliers(asked: OutlierDetection | None) -> Outliers | None:
    if asked is None:
        return None
    values: list[tuple[str, str | int]] = []
    for name, value in asked._asdict().items():
        if name == "where" or value is None:
            continue
        first, *others = name.split("_")
        field = first + "".join(map(str.capitalize, others))
        values.append((field, kubernetes(value) if name in {"interval", "base_ejection_time"} else value))
    return Outliers(tuple(values), str(Origin("config", asked.where)))


def _health_checks(app: App, calls: Calls, settings: IstioSettings) -> HealthChecks | None:
    asked = settings.of(app.name).health_checks
    if asked is None:
        return None
    if app.namespace is None:
        raise GenerationError(
            f"health checks need the namespace of app {app.name}, because an EnvoyFilter must name its host "
            f"in full: set namespace for service {app.services[0].name} "
            f"({app.services[0].declaration.where})",
            asked.where,
        )
    return HealthChecks(
        name=f"{app.stem}-health-checks",
        filter_name=f"{app.stem}-health-check-filter",
        host=app.host(settings.cluster_domain),
        interval=protobuf(asked.interval),
        timeout=protobuf(asked.timeout),
        note=str(Origin("config", asked.where)),
        namespaces=calls.namespaces_of_callers(app),
    )


def _sidecar(app: App, calls: Calls, domain: str) -> Sidecar | None:
    called = calls.callees(app)
    if called is None:
        return None
    hosts = dict.fromkeys(_egress(app, callee, domain) for callee in called)
    if "./*" in hosts:  # which the services of the same namespace are part of
        hosts = dict.fromkeys(["./*", *(host for host in hosts if not host.startswith("./"))])
    return Sidecar((*map(Noted, hosts), Noted(_CONTROL_PLANE, "Istio's own")), app.settings.where)


def _egress(app: App, callee: Callee, domain: str) -> str:
    """A host that a Sidecar lets through: a namespace, and a name in full, which Istio does not complete."""
    if callee.namespace is None:
        if app.namespace is not None:
            raise GenerationError(
                f"app {app.name} in namespace {app.namespace} calls {callee.name}, which has no namespace: "
                "set namespace for its services",
                app.settings.where,
            )
        return "./*"  # the namespace, and so the name in full, is known when the file is applied
    host = f"{callee.name}.{callee.namespace}.svc.{domain}"
    return f"./{host}" if callee.namespace == app.namespace else f"{callee.namespace}/{host}"
