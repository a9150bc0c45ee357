"""The environment variables of the contract, read and checked in one place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from .._contract.errors import ConfigurationError
from .._contract.reserved_headers import owner_of
from .._contract.validation import check_header_value, check_host_port, check_label, is_sendable_name

Mode = Literal["sidecar", "proxyless", "direct"]
"""How a mesh name is dialled (`DUBBO_MESH_MODE`)."""

_MODES: tuple[Mode, ...] = ("sidecar", "proxyless", "direct")

CARRIED = frozenset(
    {
        "x-request-id",
        "traceparent",
        "tracestate",
        "baggage",
        "b3",
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-parentspanid",
        "x-b3-sampled",
        "x-b3-flags",
        "x-ot-span-context",
        "x-datadog-trace-id",
        "x-datadog-parent-id",
        "x-datadog-sampling-priority",
        "x-datadog-origin",
        "x-datadog-tags",
        "x-cloud-trace-context",
        "sw8",
        "sw8-correlation",
        "sw8-x",
        "x-amzn-trace-id",
    }
)
"""The headers sent on from a request to the calls made while serving it: those of distributed tracing.

They are the ones that Istio asks applications to propagate (docs: "Distributed tracing", trace context
propagation), what Datadog and SkyWalking define beside those, and W3C's `baggage`, which OpenTelemetry
propagates by default. `grpc-trace-bin` belongs to Istio's list too, but grpcio's core hides it from Python
handlers.
"""

VARIABLES = (
    "DUBBO_MESH_ADMIN",
    "DUBBO_MESH_APP",
    "DUBBO_MESH_CARRY",
    "DUBBO_MESH_DIRECT",
    "DUBBO_MESH_DRAIN",
    "DUBBO_MESH_EGRESS",
    "DUBBO_MESH_FALLBACK",
    "DUBBO_MESH_FALLBACK_AFTER",
    "DUBBO_MESH_FORWARDED_FOR",
    "DUBBO_MESH_LISTEN",
    "DUBBO_MESH_MODE",
    "DUBBO_MESH_PROBES",
)
"""This package's own variables."""

DEFAULT_ADMIN = "127.0.0.1:15000"
DEFAULT_PROBES = "[::]:22222"
DEFAULT_DRAIN = 5.0
DEFAULT_FALLBACK_AFTER = 1.0

_PREFIX = "DUBBO_MESH_"
_SERVICE_LINK = re.compile(
    r"_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$"
)
"""What Kubernetes sets in every pod for a Service, one called `dubbo-mesh-…` too (`enableServiceLinks`)."""
_OFF = "off"


@dataclass(frozen=True, slots=True)
class Environment:
    """The settings in the process's environment; those that are not set have their defaults.

    Attributes:
        app: this application's own name (`DUBBO_MESH_APP`), sent as `tri-consumer-appname`.
        mode: `sidecar`, `proxyless` or `direct` (`DUBBO_MESH_MODE`).
        egress: `host:port` of the sidecar's explicit egress listener (`DUBBO_MESH_EGRESS`).
        direct: `host:port` for each app, for direct mode (`DUBBO_MESH_DIRECT`).
        admin: `host:port` of the sidecar's admin endpoint; None if it is `off` (`DUBBO_MESH_ADMIN`).
        probes: `host:port` on which Kubernetes probes are answered, by default on all addresses, IPv6 and
            IPv4; None if it is `off` (`DUBBO_MESH_PROBES`).
        listen: what a server listens on unless its code says so (`DUBBO_MESH_LISTEN`, between commas).
        forwarded_for: the `x-forwarded-for` to send, so that the sidecar considers requests internal
            (`DUBBO_MESH_FORWARDED_FOR`; `pod` stands for the value of `POD_IP`).
        fallback: the mode to fall back to while the sidecar cannot be reached (`DUBBO_MESH_FALLBACK`).
        fallback_after: how many seconds the sidecar must have been unreachable before calls fall back
            (`DUBBO_MESH_FALLBACK_AFTER`).
        carried: names of the headers that are sent on from a request to the calls made while serving it: the
            tracing headers and those of `DUBBO_MESH_CARRY`.
        drain: how many seconds traffic is given to move elsewhere before a server stops (`DUBBO_MESH_DRAIN`).
    """

    app: str | None = None
    mode: Mode = "sidecar"
    egress: str | None = None
    direct: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    admin: str | None = DEFAULT_ADMIN
    probes: str | None = DEFAULT_PROBES
    listen: tuple[str, ...] = ()
    forwarded_for: str | None = None
    fallback: Literal["proxyless", "direct"] | None = None
    fallback_after: float = DEFAULT_FALLBACK_AFTER
    carried: frozenset[str] = CARRIED
    drain: float = DEFAULT_DRAIN

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Environment:
        """Reads the variables; an empty one counts as unset.

        Raises:
            ConfigurationError: one is malformed; the message names it.
        """
        # Each name is looked up once, and nothing iterates over `environ`: other threads may be changing it.
        given = {name: value for name in (*VARIABLES, "POD_IP") if (value := environ.get(name))}
        get = given.get
        try:
            return cls(
                app=_app(get("DUBBO_MESH_APP")),
                mode=_mode(get("DUBBO_MESH_MODE")),
                egress=_address("DUBBO_MESH_EGRESS", get("DUBBO_MESH_EGRESS"), None),
                direct=_direct(get("DUBBO_MESH_DIRECT")),
                admin=_address("DUBBO_MESH_ADMIN", get("DUBBO_MESH_ADMIN"), DEFAULT_ADMIN),
                probes=_address("DUBBO_MESH_PROBES", get("DUBBO_MESH_PROBES"), DEFAULT_PROBES),
                listen=_listen(get("DUBBO_MESH_LISTEN")),
                forwarded_for=_forwarded_for(get("DUBBO_MESH_FORWARDED_FOR"), get("POD_IP")),
                fallback=_fallback(get("DUBBO_MESH_FALLBACK")),
                fallback_after=_seconds(
                    "DUBBO_MESH_FALLBACK_AFTER", get("DUBBO_MESH_FALLBACK_AFTER"), DEFAULT_FALLBACK_AFTER
                ),
                carried=_carried(get("DUBBO_MESH_CARRY")),
                drain=_seconds("DUBBO_MESH_DRAIN", get("DUBBO_MESH_DRAIN"), DEFAULT_DRAIN),
            )
        except ConfigurationError:
            raise
        except ValueError as error:
            raise ConfigurationError(str(error)) from None

    @property
    def uses_direct(self) -> bool:
        """Whether calls can take the addresses in `direct`."""
        return self.mode == "direct" or (self.mode == "sidecar" and self.fallback == "direct")


def unknown_variables(environ: Mapping[str, str] = os.environ) -> Mapping[str, str | None]:
    """Returns the set variables that look like this package's but are none of its `VARIABLES`.

    Returns:
        For each, the known variable with the most similar name; None if none is similar.
    """
    from difflib import get_close_matches  # only here: nobody but the doctor asks

    known = [name.removeprefix(_PREFIX) for name in VARIABLES]
    similar: dict[str, str | None] = {}
    for name in sorted(environ):
        if name.startswith(_PREFIX) and name not in VARIABLES and not _SERVICE_LINK.search(name):
            matches = get_close_matches(name.removeprefix(_PREFIX), known, n=1, cutoff=0.7)
            similar[name] = _PREFIX + matches[0] if matches else None
    return similar


def _app(value: str | None) -> str | None:
    return None if value is None else check_header_value("DUBBO_MESH_APP:", value)


def _mode(value: str | None) -> Mode:
    if value is None:
        return "sidecar"
    for mode in _MODES:
        if value == mode:
            return mode
    raise ConfigurationError(f"DUBBO_MESH_MODE: {value!r} must be one of {', '.join(_MODES)}")


def _address(variable: str, value: str | None, default: str | None) -> str | None:
    if value is None:
        return default
    if value == _OFF:
        return None
    return check_host_port(f"{variable}:", value)


def _listen(value: str | None) -> tuple[str, ...]:
    addresses = (address.strip() for address in (value or "").split(","))
    return tuple(
        address
        if address.startswith("unix:") or address.endswith(":0")  # any free port
        else check_host_port("DUBBO_MESH_LISTEN:", address)
        for address in addresses
        if address
    )


def _direct(value: str | None) -> Mapping[str, str]:
    addresses: dict[str, str] = {}
    for entry in (value or "").split(","):
        if not entry.strip():
            continue
        app, equals, address = entry.strip().partition("=")
        if not equals:
            raise ConfigurationError(f"DUBBO_MESH_DIRECT: {entry!r} is not of the form app=host:port")
        check_label("DUBBO_MESH_DIRECT: app", app)
        if app in addresses:
            raise ConfigurationError(f"DUBBO_MESH_DIRECT: app {app!r} is given twice")
        addresses[app] = check_host_port("DUBBO_MESH_DIRECT:", address)
    return MappingProxyType(addresses)


def _forwarded_for(value: str | None, pod_ip: str | None) -> str | None:
    if value is None or value == _OFF:
        return None
    if value == "pod":
        if not pod_ip:
            raise ConfigurationError(
                "DUBBO_MESH_FORWARDED_FOR: 'pod' needs POD_IP; let the pod's spec set it from status.podIP"
            )
        value = pod_ip
    import ipaddress

    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ConfigurationError(
            f"DUBBO_MESH_FORWARDED_FOR: {value!r} must be off, pod or an IP address"
        ) from None
    return value


def _fallback(value: str | None) -> Literal["proxyless", "direct"] | None:
    if value is None or value == _OFF:
        return None
    if value == "direct":
        return "direct"
    if value == "proxyless":
        return "proxyless"
    raise ConfigurationError(f"DUBBO_MESH_FALLBACK: {value!r} must be one of off, direct, proxyless")


def _carried(value: str | None) -> frozenset[str]:
    names = {name.strip().lower() for name in (value or "").split(",") if name.strip()}
    for name in sorted(names):
        if not is_sendable_name(name):
            raise ConfigurationError(f"DUBBO_MESH_CARRY: {name!r} is not the name of a header")
        owner = owner_of(name)
        if owner == "credentials":
            raise ConfigurationError(
                f"DUBBO_MESH_CARRY: {name} must not be sent on: credentials are for this application alone"
            )
        if owner is not None:
            raise ConfigurationError(
                f"DUBBO_MESH_CARRY: {name} must not be sent on: it is a header of {owner}, "
                "about one connection or one request"
            )
    return CARRIED | names


def _seconds(variable: str, value: str | None, default: float) -> float:
    if value is None:
        return default
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ConfigurationError(f"{variable}: {value!r} is not a number of seconds, 0 to 86400")
    return seconds
