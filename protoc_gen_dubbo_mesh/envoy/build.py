"""Builds the Envoys of a run: one for each instance, on one machine and in Docker Compose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mesh.calls import Calls
from ..mesh.model import DEFAULT_NAMESPACE, DEFAULT_PORT
from ..mesh.wording import shortened, sources
from . import compose, laptop
from .callees import CONSUMER, callees_of, host, namespace_of, needs_consumer
from .model import Address, Bootstrap, Destination, Inbound, Outbound
from .ports import blocks
from .routes import routes_of

if TYPE_CHECKING:
    from ..mesh.model import App, Mesh
    from .model import Instance, Route, Site
    from .settings import EnvoySettings

_MOST_SERVICES = 5  # named in a comment

Variables = tuple[tuple[str, str], ...]


class Builder:
    """Builds the Envoys of a run, and the environments of the applications beside them.

    Attributes:
        warnings: calls that static Envoys do not route, a line each.

    Raises:
        GenerationError: what is configured needs more ports than there are, or names unknown applications.
    """

    def __init__(self, mesh: Mesh, settings: EnvoySettings) -> None:
        self._mesh = mesh
        self._settings = settings
        calls = Calls(mesh)
        self.warnings: list[str] = []
        self._callees: dict[str, tuple[App, ...]] = {}
        for app in mesh.apps:
            self._callees[app.stem], unknown = callees_of(mesh, calls, app)
            self.warnings += unknown
        self._routes: dict[tuple[str, int], tuple[Route, ...]] = {}
        apps = tuple(app for app in mesh.apps if app.ports or self._callees[app.stem])
        with_consumer = needs_consumer(mesh)
        self._sites = (
            laptop.site(apps, blocks(mesh, apps, settings, with_consumer=with_consumer), settings),
            compose.site(apps, settings, with_consumer=with_consumer),
        )

    def build(self) -> list[tuple[Instance, Bootstrap, Variables]]:
        """Each instance with its Envoy and its environment."""
        built: list[tuple[Instance, Bootstrap, Variables]] = []
        for site in self._sites:
            for instance in site.instances:
                envoy = self._bootstrap(site, instance)
                built.append((instance, envoy, self._environment(instance, envoy)))
        return built

    def _bootstrap(self, site: Site, instance: Instance) -> Bootstrap:
        app = instance.app
        callees = self._mesh.providers if app is None else self._callees[app.stem]
        related = callees if app is None else (app, *callees)
        return Bootstrap(
            sources=sources(source for each in related for source in each.sources),
            about=instance.about,
            node=instance.node,
            cluster=CONSUMER if app is None else app.name,
            admin=instance.admin,
            inbound=() if app is None else tuple(_inbound(instance, app)),
            outbound=self._outbound(site, instance, callees) if callees else None,
            # With `policy=routes` nobody's headers count.
            internal=site.internal if self._mesh.enforced_by == "headers" else (),
            dns_family="AUTO" if self._settings.ipv6 else "V4_PREFERRED",
        )

    def _outbound(self, site: Site, instance: Instance, callees: tuple[App, ...]) -> Outbound:
        namespace = DEFAULT_NAMESPACE if instance.app is None else namespace_of(instance.app)
        return Outbound(
            instance.outbound,
            tuple(
                self._destination(site, callee, index, namespace)
                for callee in callees
                for index in range(len(callee.ports))
            ),
        )

    def _destination(self, site: Site, app: App, index: int, caller_namespace: str) -> Destination:
        port = app.ports[index]
        name = host(app, caller_namespace, self._settings.cluster_domain)
        domains = [f"{name}:{port.number}"]
        # A domain may be in one virtual host only.
        numbers = [each.number for each in app.ports]
        if port.number == (DEFAULT_PORT if DEFAULT_PORT in numbers else numbers[0]):
            domains.insert(0, name)
        key = (app.stem, index)
        if key not in self._routes:
            self._routes[key] = routes_of(app.name, port, self._mesh.enforced_by)
        return Destination(
            name=f"{app.stem}-{port.number}",
            about=_about(app, index),
            domains=tuple(domains),
            routes=self._routes[key],
            endpoints=site.endpoints[app.stem][index],
            is_dns=site.is_dns,
        )

    def _environment(self, instance: Instance, envoy: Bootstrap) -> Variables:
        app = instance.app
        variables: list[tuple[str, str]] = []
        if app is not None:
            variables.append(("DUBBO_MESH_APP", app.name))
        variables.append(("POD_NAMESPACE", DEFAULT_NAMESPACE if app is None else namespace_of(app)))
        if self._settings.cluster_domain != "cluster.local":
            variables.append(("CLUSTER_DOMAIN", self._settings.cluster_domain))

        def seen(address: Address) -> str:
            return str(address._replace(host=instance.beside) if instance.beside else address)

        variables.append(("DUBBO_MESH_ADMIN", seen(instance.admin)))
        if envoy.outbound is not None:
            variables.append(("DUBBO_MESH_EGRESS", seen(instance.outbound)))
        variables += instance.environment
        if app is not None and app.settings.drain is not None:
            variables.append(("DUBBO_MESH_DRAIN", f"{app.settings.drain:g}"))
        return tuple(variables)


def _inbound(instance: Instance, app: App) -> list[Inbound]:
    return [
        Inbound(
            name=f"inbound_{port.number}",
            about=_about(app, index),
            listen=listen,
            server=server,
            is_dns=bool(instance.beside),
        )
        for index, (port, listen, server) in enumerate(
            zip(app.ports, instance.inbound, instance.servers, strict=True)
        )
    ]


def _about(app: App, index: int) -> str:
    """What a port of an application is, and where it was set."""
    port = app.ports[index]
    services = shortened([service.name for service in port.services], _MOST_SERVICES)
    return f"app {app.name}, port {port.number} ({port.origin}): {services}"
