"""`[istio]` in the config.

[istio]
cluster_domain = "cluster.local"          # the cluster's DNS domain
internal_addresses = ["10.0.0.0/8"]       # of the pods whose headers count; [] for none
health_checks = { interval = "1s" }       # or true, or false (default)
outlier_detection = { consecutive_5xx_errors = 5 }  # or true, or false (default)

[istio.apps.greeter]                      # for one app
health_checks = false
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..mesh.durations import is_whole_milliseconds
from ..policy.provenance import DEFAULT, Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..mesh.model import Mesh
    from ..policy.model import Duration
    from ..policy.toml_lines import Key
    from ..policy.toml_values import TomlValues

DEFAULT_INTERNAL_ADDRESSES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""The private addresses that pods commonly have: RFC 1918, RFC 6598 and RFC 4193.

127.0.0.1 is not among them: it would make every caller look local to providers.
"""

_FOR_APPS = ("health_checks", "outlier_detection")
_KEYS = ("apps", "cluster_domain", "internal_addresses", *_FOR_APPS)
_MOST = {
    "consecutive_5xx_errors": 2**32 - 1,
    "consecutive_gateway_errors": 2**32 - 1,
    "max_ejection_percent": 100,
    "min_health_percent": 100,
}
"""The highest numbers that Istio takes."""


class HealthChecks(NamedTuple):
    """Active health checks.

    Attributes:
        interval: the time between two checks of a pod.
        timeout: how long the answer may take.
        where: `file:line` where they are asked for.
    """

    interval: Duration
    timeout: Duration
    where: str


class OutlierDetection(NamedTuple):
    """Which pods get no calls for a while because calls to them failed. None leaves a value to Envoy.

    Attributes:
        consecutive_5xx_errors, consecutive_gateway_errors: so many failed calls in a row.
        interval: the time between two looks at the counts.
        base_ejection_time: how long a pod is left out, times the number of times that it was.
        max_ejection_percent: how many of the pods, in percent. Envoy's default, 10, is none of fewer than
            10 pods.
        min_health_percent: if fewer are left, all get calls again.
        where: `file:line` where it is asked for.
    """

    consecutive_5xx_errors: int | None = None
    consecutive_gateway_errors: int | None = None
    interval: Duration | None = None
    base_ejection_time: Duration | None = None
    max_ejection_percent: int = 50
    min_health_percent: int | None = None
    where: str = ""


class ForApp(NamedTuple):
    """What applies to one application. None means that it is not asked for."""

    health_checks: HealthChecks | None = None
    outlier_detection: OutlierDetection | None = None


class IstioSettings(NamedTuple):
    """What `[istio]` sets.

    Attributes:
        cluster_domain: the cluster's DNS domain.
        internal_addresses: the ranges whose headers count, as `address/length`; None means unset.
        internal_addresses_origin: where they were set.
        for_all: what applies to each application.
        for_apps: what applies to one instead, by its name.
    """

    cluster_domain: str = "cluster.local"
    internal_addresses: tuple[str, ...] | None = None
    internal_addresses_origin: Origin = DEFAULT
    for_all: ForApp = ForApp()
    for_apps: Mapping[str, ForApp] = {}

    def internal_ranges(self, *, by_headers: bool) -> tuple[str, ...]:
        """The ranges whose headers count; where routes enforce timeouts and retries, only those that are set.

        Args:
            by_headers: whether stubs ask for timeouts and retries, and not routes.
        """
        if self.internal_addresses is None:
            return DEFAULT_INTERNAL_ADDRESSES if by_headers else ()
        return self.internal_addresses

    def of(self, app: str) -> ForApp:
        """What applies to an application."""
        return self.for_apps.get(app, self.for_all)


def read(mesh: Mesh) -> IstioSettings:
    """Reads `[istio]`.

    Raises:
        GenerationError: a key or an app is unknown, or a value is not allowed.
    """
    if mesh.values is None:
        return IstioSettings()
    return _Reader(mesh.values).settings(mesh)


class _Reader:
    def __init__(self, values: TomlValues) -> None:
        self._values = values

    def settings(self, mesh: Mesh) -> IstioSettings:
        from dubbo_mesh._contract.validation import check_domain

        values, key = self._values, ("istio",)
        table = mesh.table("istio", _KEYS)
        domain = values.text((*key, "cluster_domain"), table.get("cluster_domain", "cluster.local"))
        for_all = self._for_app(key, table, ForApp())
        addresses = (*key, "internal_addresses")
        return IstioSettings(
            cluster_domain=values.check(
                (*key, "cluster_domain"), lambda: check_domain("istio.cluster_domain", domain)
            ),
            internal_addresses=self._ranges(addresses, table["internal_addresses"])
            if "internal_addresses" in table
            else None,
            internal_addresses_origin=values.origin(addresses) if "internal_addresses" in table else DEFAULT,
            for_all=for_all,
            for_apps=self._for_apps((*key, "apps"), table.get("apps", {}), for_all, mesh),
        )

    def _for_apps(self, key: Key, content: object, for_all: ForApp, mesh: Mesh) -> dict[str, ForApp]:
        known = sorted({app.name for app in mesh.providers})
        found: dict[str, ForApp] = {}
        for name, entry in self._values.table(key, content).items():
            if name not in known and not mesh.partial:
                shown = ", ".join(known) or "this run has none"
                raise self._values.wrong(
                    (*key, name), f"must be one of the apps with services ({shown}), not {name!r}"
                )
            table = self._values.table((*key, name), entry, _FOR_APPS)
            found[name] = self._for_app((*key, name), table, for_all)
        return found

    def _for_app(self, key: Key, table: Mapping[str, object], otherwise: ForApp) -> ForApp:
        checks, outliers = otherwise
        if "health_checks" in table:
            checks = self._health_checks((*key, "health_checks"), table["health_checks"])
        if "outlier_detection" in table:
            outliers = self._outlier_detection((*key, "outlier_detection"), table["outlier_detection"])
        return ForApp(checks, outliers)

    def _health_checks(self, key: Key, value: object) -> HealthChecks | None:
        given = self._switch(key, value, ("interval", "timeout"))
        if given is None:
            return None
        interval = self._duration((*key, "interval"), given.get("interval", 1.0))
        timeout = self._duration((*key, "timeout"), given.get("timeout", 1.0))
        return HealthChecks(interval, timeout, self._values.file.where(key))

    def _outlier_detection(self, key: Key, value: object) -> OutlierDetection | None:
        given = self._switch(key, value, OutlierDetection._fields[:-1])
        if given is None:
            return None
        values = {
            name: self._duration((*key, name), each)
            if name in {"interval", "base_ejection_time"}
            else self._values.whole((*key, name), each)
            for name, each in given.items()
        }
        for name, most in _MOST.items():
            if values.get(name, 0) > most:
                raise self._values.wrong((*key, name), f"must be from 0 to {most}, not {values[name]}")
        return OutlierDetection(**values, where=self._values.file.where(key))  # type: ignore[arg-type]  # by name

    def _switch(self, key: Key, value: object, known: tuple[str, ...]) -> Mapping[str, object] | None:
        """A table that asks for something, or `true` for an empty one; None for `false`."""
        if isinstance(value, bool):
            return {} if value else None
        given: object = value
        if not isinstance(value, dict):
            raise self._values.wrong(key, f"must be true, false or a table, not {value!r}")
        return self._values.table(key, given, known)

    def _duration(self, key: Key, value: object) -> Duration:
        duration = self._values.duration(key, value)
        if not duration or not is_whole_milliseconds(duration):
            raise self._values.wrong(key, f"must be whole milliseconds, at least one, not {value!r}")
        return duration

    def _ranges(self, key: Key, value: object) -> tuple[str, ...]:
        from ipaddress import ip_network

        ranges: list[str] = []
        for text in self._values.strings(key, value):
            try:
                if "%" in text:
                    raise ValueError("zones have no meaning in Envoy")
                ranges.append(str(ip_network(text)))
            except ValueError as error:
                raise self._values.wrong(
                    key, f'must be ranges of IP addresses such as "10.0.0.0/8": {error}'
                ) from error
        return tuple(ranges)
