"""The applications of one run, as the emitters of YAML see them.

An application is a Kubernetes Service. Services of the proto belong to the application that their identity
names; the config's `[apps]` adds those that only make calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..policy.provenance import Origin
from .wording import origins

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any, Protocol

    from ..policy.model import Labels, ServicePolicy
    from ..policy.toml_values import TomlValues
    from .settings import AppSettings

    class Emitter(Protocol):
        """Writes the files of one kind of YAML.

        Attributes:
            warnings: what the files cannot express, a line each.
        """

        warnings: list[str]

        def emit(self, mesh: Mesh) -> list[File]:
            """The files.

            Raises:
                GenerationError: something cannot be written as it is configured.
            """
            ...


DEFAULT_PORT = 80
"""The port of services that set none, as in Dubbo Java's `ReferenceConfig.meshModeHandleUrl`."""

DEFAULT_NAMESPACE = "default"
"""The namespace of a process without POD_NAMESPACE; only needed where there is no Kubernetes."""


class Port(NamedTuple):
    """A port of an application.

    Attributes:
        number: on the Kubernetes Service, and on the application's own server.
        name: as Istio understands it: its protocol, and its number if there are several ports.
        services: the services behind it, by name.
    """

    number: int
    name: str
    services: tuple[ServicePolicy, ...]

    @property
    def origin(self) -> str:
        """Where its number was set."""
        return origins(service.origin("port") for service in self.services)


class Subset(NamedTuple):
    """Pods of an application that have further labels.

    Attributes:
        name: an RFC 1123 label.
        labels: the labels, sorted by key.
        services: the services that they provide.
    """

    name: str
    labels: Labels
    services: tuple[ServicePolicy, ...]

    @property
    def origin(self) -> str:
        """Where its labels were set."""
        return origins(service.origin("labels") for service in self.services)


class App(NamedTuple):
    """An application.

    Attributes:
        name: of its Kubernetes Service.
        namespace: of its Kubernetes Service; None means that of whoever applies the files.
        stem: what the names of its files begin with.
        ports: its ports, in ascending order; none for an application that only makes calls.
        selector: the labels of all its pods, sorted by key.
        subsets: its services' own labels, by name.
        settings: its entry in the config's `[apps]`.
    """

    name: str
    namespace: str | None
    stem: str
    ports: tuple[Port, ...]
    selector: Labels
    subsets: tuple[Subset, ...]
    settings: AppSettings

    @property
    def services(self) -> tuple[ServicePolicy, ...]:
        """Its services, by name."""
        if len(self.ports) == 1:
            return self.ports[0].services
        return tuple(sorted((service for port in self.ports for service in port.services), key=_name))

    @property
    def subset_of(self) -> dict[str, str | None]:
        """The name of the subset of each service, by the service's name."""
        in_subsets = {service.name: subset.name for subset in self.subsets for service in subset.services}
        return {service.name: in_subsets.get(service.name) for service in self.services}

    @property
    def sources(self) -> tuple[str, ...]:
        """The protos of its services, sorted; the config, if it has none."""
        protos = {service.declaration.file.name for service in self.services}
        return tuple(sorted(protos)) or (self.settings.where.rpartition(":")[0],)

    @property
    def where(self) -> str:
        """`file:line` for messages about it: its entry in the config, or else what names it in a proto."""
        return self.settings.where or self.services[0].where("app")

    def origin(self, field: str) -> str:
        """Where a field of its services' identities was set; its entry in the config, if it has none.

        Args:
            field: one that its services have in common: `app` or `namespace`.
        """
        if not self.services:
            return str(Origin("config", self.settings.where))
        return origins(service.origin(field) for service in self.services)

    def host(self, domain: str = "cluster.local") -> str:
        """The host name of its Kubernetes Service.

        Args:
            domain: the cluster's.
        """
        return f"{self.name}.{self.namespace or DEFAULT_NAMESPACE}.svc.{domain}"


class Mesh(NamedTuple):
    """The applications of one run.

    Attributes:
        apps: by name and namespace.
        enforced_by: who enforces timeouts and retries: `headers` or `routes`.
        tables: what the config sets for emitters, by emitter; each checks its own.
        values: reads those tables; None if there is no config.
        partial: whether the config may name apps that this run does not see.
    """

    apps: tuple[App, ...]
    enforced_by: str
    tables: Mapping[str, Mapping[str, Any]] = {}
    values: TomlValues | None = None
    partial: bool = False

    def table(self, name: str, known: Collection[str]) -> dict[str, Any]:
        """What the config sets in an emitter's table; nothing without a config.

        Args:
            name: of the table.
            known: the keys that it may have.

        Raises:
            GenerationError: it has another one.
        """
        return self.values.table((name,), self.tables.get(name, {}), known) if self.values else {}

    @property
    def providers(self) -> tuple[App, ...]:
        """The applications that have services."""
        return tuple(app for app in self.apps if app.ports)


class File(NamedTuple):
    """A file to write.

    Attributes:
        path: relative to the output directory.
        content: its text.
        about: what it is about, for messages: `app greeter`.
    """

    path: str
    content: str
    about: str


def _name(service: ServicePolicy) -> str:
    return service.name
