"""Groups the services of a run by application."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..protoc.identifiers import is_proto_name
from . import settings as app_settings
from . import wording
from .model import DEFAULT_PORT, App, Mesh, Port, Subset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..policy.config import Config
    from ..policy.model import Labels, ServicePolicy
    from .settings import AppSettings

_APP_LABELS = ("app", "app.kubernetes.io/name")
"""Labels that say which application a pod belongs to; the first is Istio's `app`, which it also reads."""

_LONGEST_LABEL = 63


class Grouping:
    """Groups the services of a run by application.

    Attributes:
        warnings: services that no file but Python is written for, a line each.
    """

    def __init__(self, config: Config | None, enforced_by: str) -> None:
        self.warnings: list[str] = []
        self._config = config
        self._enforced_by = enforced_by

    def group(self, services: Iterable[ServicePolicy]) -> Mesh:
        """The applications of these services, and those of the config's `[apps]`.

        Raises:
            GenerationError: the services of an application contradict each other, or the config is wrong.
        """
        values = None
        settings: Mapping[str, AppSettings] = {}
        if self._config is not None:
            from ..policy.toml_values import TomlValues

            values = TomlValues(self._config.file)
            settings = app_settings.read(values, self._config.tables["apps"])
        by_app = self._by_app(services)
        apps = [
            self._app(name, namespace, members, settings.get(name, app_settings.NO_SETTINGS))
            for (name, namespace), members in by_app.items()
        ]
        providers = {name for name, _ in by_app}
        apps += [
            App(name, entry.namespace, name, (), _selector(name, ()), (), entry)
            for name, entry in settings.items()
            if name not in providers
        ]
        apps.sort(key=lambda app: (app.name, app.namespace or ""))
        return Mesh(
            apps=tuple(_with_unique_stems(apps)),
            enforced_by=self._enforced_by,
            tables={} if self._config is None else self._config.tables,
            values=values,
            partial=self._config is not None and self._config.partial,
        )

    def _by_app(self, services: Iterable[ServicePolicy]) -> dict[tuple[str, str | None], list[ServicePolicy]]:
        by_app: dict[tuple[str, str | None], list[ServicePolicy]] = {}
        for service in sorted(services, key=lambda service: service.name):
            app = service.identity.app
            if app is None:
                self.warnings.append(
                    f"{service.declaration.where}: service {service.name} has no app, so only Python is "
                    "written for it: set app in its option or in the config"
                )
                continue
            _check_names(service)
            by_app.setdefault((app, service.identity.namespace), []).append(service)
        for (app, namespace), members in by_app.items():
            if namespace is None:
                continue
            others = by_app.get((app, None))
            if others:
                raise GenerationError(
                    f"app {app} has namespace {namespace} for service {members[0].name} "
                    f"({members[0].where('namespace')}) and none for service {others[0].name}: "
                    "set it for both, or for neither",
                    others[0].declaration.where,
                )
        return by_app

    def _app(
        self, name: str, namespace: str | None, services: Sequence[ServicePolicy], settings: AppSettings
    ) -> App:
        if settings.namespace not in {None, namespace}:
            raise GenerationError(
                f"app {name} has namespace {settings.namespace} here and {namespace or 'none'} for service "
                f"{services[0].name} ({services[0].where('namespace')}): set it for its services only",
                settings.where,
            )
        selector = _selector(name, _common(services))
        _check_selected(name, selector, services)
        return App(
            name=name,
            namespace=namespace,
            stem=name,
            ports=_ports(services),
            selector=selector,
            subsets=_subsets(name, services),
            settings=settings,
        )


def _check_names(service: ServicePolicy) -> None:
    """Checks what paths are made of.

    Raises:
        GenerationError: no compiler accepts a name.
    """
    named = [(service.name, service.declaration), *((rpc.name, rpc.declaration) for rpc in service.rpcs)]
    for name, declaration in named:
        if not is_proto_name(name):
            raise GenerationError(f"{name!r} is not a name that protobuf allows", declaration.where)


def _ports(services: Sequence[ServicePolicy]) -> tuple[Port, ...]:
    by_number: dict[int, list[ServicePolicy]] = {}
    for service in services:
        by_number.setdefault(service.identity.port or DEFAULT_PORT, []).append(service)
    several = len(by_number) > 1
    return tuple(
        Port(number, f"grpc-{number}" if several else "grpc", tuple(members))
        for number, members in sorted(by_number.items())
    )


def _common(services: Sequence[ServicePolicy]) -> Labels:
    """The labels that all services agree on."""
    first, *others = (service.identity.labels or () for service in services)
    return tuple(label for label in first if all(label in each for each in others))


def _selector(app: str, common: Labels) -> Labels:
    """The labels of all pods of an application."""
    if any(key in _APP_LABELS for key, _ in common):
        return common
    return tuple(sorted(((_APP_LABELS[0], app), *common)))


def _check_selected(app: str, selector: Labels, services: Sequence[ServicePolicy]) -> None:
    """Checks that the pods of each service can be among those of the application.

    Raises:
        GenerationError: a label contradicts the selector, so that there would be no such pods.
    """
    for key, wanted in selector:
        for service in services:
            value = dict(service.identity.labels or ()).get(key, wanted)
            if value != wanted:
                raise GenerationError(
                    f"app {app}: service {service.name} is on pods with {key}={value}, and the Kubernetes "
                    f"Service of the app selects those with {key}={wanted}: set {key} for all of its "
                    f"services, or give {service.name} an app of its own",
                    service.where("labels"),
                )


def _subsets(app: str, services: Sequence[ServicePolicy]) -> tuple[Subset, ...]:
    by_labels: dict[Labels, list[ServicePolicy]] = {}
    for service in services:
        if service.identity.labels:
            by_labels.setdefault(service.identity.labels, []).append(service)
    by_name: dict[str, Subset] = {}
    for labels, members in sorted(by_labels.items()):
        name = _subset_name(labels)
        other = by_name.get(name)
        if other is not None:
            name = _subset_name(labels, with_keys=True)
            other = by_name.get(name)
        where = members[0].where("labels")
        if other is not None:
            raise GenerationError(
                f"app {app}: the labels {wording.labels(labels)} of service {members[0].name} and "
                f"{wording.labels(other.labels)} of service {other.services[0].name} would both be the "
                f"subset {name!r}: rename a label",
                where,
            )
        if len(name) > _LONGEST_LABEL:
            raise GenerationError(
                f"app {app}: the labels {wording.labels(labels)} of service {members[0].name} make a "
                f"subset's name of {len(name)} characters, and Istio allows {_LONGEST_LABEL}: use shorter "
                "labels",
                where,
            )
        by_name[name] = Subset(name, labels, tuple(members))
    return tuple(by_name[name] for name in sorted(by_name))


def _subset_name(labels: Labels, *, with_keys: bool = False) -> str:
    """A name made of labels, as an RFC 1123 label: `v1` for `version: v1`.

    The application's name is not part of it, unless there is nothing else: a subset is always one of an app.
    """
    telling = [label for label in labels if label[0] not in _APP_LABELS] or labels
    parts = [
        f"{key.rpartition('/')[2]}-{value}" if with_keys or not value else value for key, value in telling
    ]
    text = "-".join(parts).lower()
    return "".join(char if char.isalnum() else "-" for char in text).strip("-")


def _with_unique_stems(apps: Sequence[App]) -> list[App]:
    """The apps, with the namespace in the names of files where an app is in several."""
    numbers = Counter(app.name for app in apps)
    return [
        app._replace(stem=f"{app.name}.{app.namespace}") if numbers[app.name] > 1 else app for app in apps
    ]
