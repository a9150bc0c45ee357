"""`[kubernetes]` in the config, and what it and `[apps]` mean for one application.

[kubernetes]
sidecar = "native"          # or "classic", or "none": how Istio's sidecar is injected
probes = 22222              # the port on which the runtime answers Kubernetes' probes, or "off"
drain = "5s"                # how long traffic gets to move elsewhere before servers stop
grace = "20s"               # how long running calls get after that
labels = { "app.kubernetes.io/part-of" = "shop" }  # of all Services, beside app.kubernetes.io/name
cluster_domain = "cluster.local"  # the cluster's DNS domain

[kubernetes.apps.greeter]   # for one application, in place of what is said for all
sidecar = "classic"
probes = "off"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from ..policy.provenance import DEFAULT, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..mesh.model import App, Mesh
    from ..policy.model import Duration, Labels
    from ..policy.toml_lines import Key
    from ..policy.toml_values import TomlValues

T = TypeVar("T")

SIDECARS = ("native", "classic", "none")
"""How Istio's sidecar is injected. The first is the default, as it is Istio's own since 1.27."""

DEFAULT_PROBES = 22222
DEFAULT_DOMAIN = "cluster.local"
DEFAULT_DRAIN = 5.0
DEFAULT_GRACE = 20.0
"""The runtime's defaults. A test compares them with the runtime, which the plugin cannot import."""

LONGEST_DURATION = 86_400.0
"""The most seconds that the runtime accepts in DUBBO_MESH_DRAIN."""

_TABLE, _APPS = "kubernetes", "apps"
_FOR_APPS = ("sidecar", "probes")


class Setting(NamedTuple, Generic[T]):
    """A value.

    Attributes:
        value: the value.
        origin: where it was set.
    """

    value: T
    origin: Origin = DEFAULT


class KubernetesSettings(NamedTuple):
    """`[kubernetes]`, or what it comes to for one application.

    Attributes:
        sidecar: one of `SIDECARS`.
        probes: the port of the probes; None if they are off.
        drain: how long traffic gets to move elsewhere before servers stop.
        grace: how long running calls get to end after that.
        labels: further labels of Services, sorted by key.
        cluster_domain: the cluster's DNS domain.
        for_apps: for applications with settings of their own, what these replace.
    """

    sidecar: Setting[str] = Setting(SIDECARS[0])
    probes: Setting[int | None] = Setting(DEFAULT_PROBES)
    drain: Setting[Duration] = Setting(DEFAULT_DRAIN)
    grace: Setting[Duration] = Setting(DEFAULT_GRACE)
    labels: Setting[Labels] = Setting(())
    cluster_domain: Setting[str] = Setting(DEFAULT_DOMAIN)
    for_apps: Mapping[str, Mapping[str, Any]] = {}

    def of(self, app: str) -> KubernetesSettings:
        """What applies to an application, by its name."""
        return self._replace(**self.for_apps.get(app, {}))


def read(mesh: Mesh) -> KubernetesSettings:
    """Reads `[kubernetes]`.

    Raises:
        GenerationError: a key or an application is unknown, or a value is not allowed.
    """
    values = mesh.values
    if values is None:
        return KubernetesSettings()
    table = mesh.table(_TABLE, (*_READERS, _APPS))
    known = sorted({app.name for app in mesh.apps})
    for_apps: dict[str, Mapping[str, Any]] = {}
    for app, entry in values.table((_TABLE, _APPS), table.get(_APPS, {})).items():
        key = (_TABLE, _APPS, app)
        if app not in known and not mesh.partial:
            shown = ", ".join(known) or "this run has none"
            raise values.wrong(key, f"must be one of the apps ({shown}), not {app!r}")
        for_apps[app] = _settings(values, key, values.table(key, entry, _FOR_APPS))
    return KubernetesSettings(**_settings(values, (_TABLE,), table), for_apps=for_apps)


def _settings(values: TomlValues, table: Key, content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: Setting(reader(values, (*table, name), content[name]), values.origin((*table, name)))
        for name, reader in _READERS.items()
        if name in content
    }


def ending(app: App, mesh: Mesh, settings: KubernetesSettings) -> tuple[Setting[Duration], Setting[Duration]]:
    """The drain and the grace of an application's servers: its own, or else those of `[kubernetes]`.

    Raises:
        GenerationError: one of its own is too long.
    """

    def own(name: str, value: Duration | None, default: Setting[Duration]) -> Setting[Duration]:
        if value is None or mesh.values is None:
            return default
        key = ("apps", app.name, name)
        return Setting(_duration(mesh.values, key, value), mesh.values.origin(key))

    return (
        own("drain", app.settings.drain, settings.drain),
        own("grace", app.settings.grace, settings.grace),
    )


def _sidecar(values: TomlValues, key: Key, value: object) -> str:
    if value in SIDECARS:
        return str(value)
    raise values.wrong(key, f"must be one of {', '.join(SIDECARS)}, not {value!r}")


def _probes(values: TomlValues, key: Key, value: object) -> int | None:
    if value == "off":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise values.wrong(key, f'must be a port from 1 to 65535, or "off", not {value!r}')
    return value


def _duration(values: TomlValues, key: Key, value: object) -> Duration:
    seconds = values.duration(key, value)
    if seconds > LONGEST_DURATION:
        raise values.wrong(key, f"must be at most a day, not {seconds:g} s")
    return seconds


def _labels(values: TomlValues, key: Key, value: object) -> Labels:
    from ..policy import labels

    found = values.strings_by_name(key, value)
    return values.check(key, lambda: labels.checked(found, ".".join(key)))


def _domain(values: TomlValues, key: Key, value: object) -> str:
    from dubbo_mesh._contract.validation import check_domain

    domain = values.text(key, value)
    return values.check(key, lambda: check_domain(".".join(key), domain))


_READERS: Mapping[str, Callable[[TomlValues, Key, object], Any]] = {
    "sidecar": _sidecar,
    "probes": _probes,
    "drain": _duration,
    "grace": _duration,
    "labels": _labels,
    "cluster_domain": _domain,
}
