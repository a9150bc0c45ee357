"""The environment variables of the contract, read and checked in one place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from .._contract.errors import ConfigurationError
from .._contract.validation import check_header_value, check_host_port, check_label

Mode = Literal["sidecar", "proxyless", "direct"]
"""How a mesh name is dialled (`DUBBO_MESH_MODE`)."""

_MODES: tuple[Mode, ...] = ("sidecar", "proxyless", "direct")

CARRIED = frozenset(
    {
        "x-request-id",
        "traceparent",
        "tracestate",
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
        "x-cloud-trace-context",
        "sw8",
        "x-amzn-trace-id",
    }
)
"""The tracing headers that Istio asks applications to carry from a request to the calls made for it.

(Istio docs: "Distributed tracing", trace context propagation.) `grpc-trace-bin` belongs to the list, but
grpcio's core hides it from Python handlers: it cannot be carried.
"""

_NEVER_CARRIED = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "user-agent"})

DEFAULT_ADMIN = "127.0.0.1:15000"
DEFAULT_PROBES = "0.0.0.0:22222"
DEFAULT_DRAIN = 5.0
DEFAULT_FALLBACK_AFTER = 1.0

_OFF = "off"
_HEADER_NAME = re.compile(r"[0-9a-z_.-]+")  # of those that gRPC takes in metadata


@dataclass(frozen=True, slots=True)
class Environment:
    """What the process's environment says about the mesh; what it does not say stands at its default.

    Attributes:
        app: this application's own name (`DUBBO_MESH_APP`), sent as `tri-consumer-appname`.
        mode: `sidecar`, `proxyless` or `direct` (`DUBBO_MESH_MODE`).
        egress: `host:port` of the sidecar's explicit egress listener (`DUBBO_MESH_EGRESS`).
        direct: `host:port` by app, for direct mode (`DUBBO_MESH_DIRECT`).
        admin: `host:port` of the sidecar's admin endpoint; None for `off` (`DUBBO_MESH_ADMIN`).
        probes: `host:port` of the Kubernetes probes; None for `off` (`DUBBO_MESH_PROBES`).
        forwarded_for: the `x-forwarded-for` to send, so that the sidecar holds requests to be internal
            (`DUBBO_MESH_FORWARDED_FOR`; `pod` stands for `POD_IP`).
        fallback: the mode to fall back to while the sidecar cannot be reached (`DUBBO_MESH_FALLBACK`).
        fallback_after: seconds that the sidecar must have been out of reach (`DUBBO_MESH_FALLBACK_AFTER`).
        carried: names of the headers that travel from a request to the calls made while serving it: the
            tracing headers and those of `DUBBO_MESH_CARRY`.
        drain: seconds that traffic gets to go elsewhere before a server stops (`DUBBO_MESH_DRAIN`).
    """

    app: str | None = None
    mode: Mode = "sidecar"
    egress: str | None = None
    direct: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    admin: str | None = DEFAULT_ADMIN
    probes: str | None = DEFAULT_PROBES
    forwarded_for: str | None = None
    fallback: Literal["proxyless", "direct"] | None = None
    fallback_after: float = DEFAULT_FALLBACK_AFTER
    carried: frozenset[str] = CARRIED
    drain: float = DEFAULT_DRAIN

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Environment:
        """Reads the variables; an empty one counts as not set.

        Raises:
            ConfigurationError: one is malformed; the message names it.
        """
        said = {name: value for name, value in environ.items() if value}
        try:
            return cls(
                app=_app(said.get("DUBBO_MESH_APP")),
                mode=_mode(said.get("DUBBO_MESH_MODE", "sidecar")),
                egress=_address("DUBBO_MESH_EGRESS", said.get("DUBBO_MESH_EGRESS")),
                direct=_direct(said.get("DUBBO_MESH_DIRECT")),
                admin=_address("DUBBO_MESH_ADMIN", said.get("DUBBO_MESH_ADMIN", DEFAULT_ADMIN)),
                probes=_address("DUBBO_MESH_PROBES", said.get("DUBBO_MESH_PROBES", DEFAULT_PROBES)),
                forwarded_for=_forwarded_for(said.get("DUBBO_MESH_FORWARDED_FOR", _OFF), said.get("POD_IP")),
                fallback=_fallback(said.get("DUBBO_MESH_FALLBACK", _OFF)),
                fallback_after=_seconds(said, "DUBBO_MESH_FALLBACK_AFTER", DEFAULT_FALLBACK_AFTER),
                carried=_carried(said.get("DUBBO_MESH_CARRY", "")),
                drain=_seconds(said, "DUBBO_MESH_DRAIN", DEFAULT_DRAIN),
            )
        except ConfigurationError:
            raise
        except ValueError as error:
            raise ConfigurationError(str(error)) from None


def _app(value: str | None) -> str | None:
    return None if value is None else check_header_value("DUBBO_MESH_APP:", value)


def _mode(value: str) -> Mode:
    for mode in _MODES:
        if value == mode:
            return mode
    raise ConfigurationError(f"DUBBO_MESH_MODE: {value!r} is none of {', '.join(_MODES)}")


def _address(variable: str, value: str | None) -> str | None:
    if value is None or value == _OFF:
        return None
    return check_host_port(f"{variable}:", value)


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
            raise ConfigurationError(f"DUBBO_MESH_DIRECT: app {app!r} stands twice")
        addresses[app] = check_host_port("DUBBO_MESH_DIRECT:", address)
    return MappingProxyType(addresses)


def _forwarded_for(value: str, pod_ip: str | None) -> str | None:
    if value == _OFF:
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
            f"DUBBO_MESH_FORWARDED_FOR: {value!r} is neither off, pod nor an IP address"
        ) from None
    return value


def _fallback(value: str) -> Literal["proxyless", "direct"] | None:
    if value == _OFF:
        return None
    if value == "direct":
        return "direct"
    if value == "proxyless":
        return "proxyless"
    raise ConfigurationError(f"DUBBO_MESH_FALLBACK: {value!r} is none of off, direct, proxyless")


def _carried(value: str) -> frozenset[str]:
    names = {name.strip().lower() for name in value.split(",") if name.strip()}
    for name in sorted(names):
        if not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"DUBBO_MESH_CARRY: {name!r} is not the name of a header")
        if name in _NEVER_CARRIED:
            raise ConfigurationError(
                f"DUBBO_MESH_CARRY: {name} must not travel: it is meant for this application alone"
            )
    return CARRIED | names


def _seconds(said: Mapping[str, str], variable: str, default: float) -> float:
    value = said.get(variable)
    if value is None:
        return default
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ConfigurationError(f"{variable}: {value!r} is not a number of seconds, 0 to 86400")
    return seconds
