"""The environment variables of the contract, read and checked in one place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ._errors import ConfigurationError
from ._names import check_header_value, check_host_port, check_label

Mode = Literal["sidecar", "proxyless", "direct"]
"""How a mesh name is dialled (`DUBBO_MESH_MODE`)."""

_MODES: tuple[Mode, ...] = ("sidecar", "proxyless", "direct")

DEFAULT_ADMIN = "127.0.0.1:15000"
DEFAULT_PROBES = "0.0.0.0:22222"
DEFAULT_DRAIN = 5.0

_OFF = "off"
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]+")


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
        drain: seconds that traffic gets to go elsewhere before a server stops (`DUBBO_MESH_DRAIN`).
    """

    app: str | None = None
    mode: Mode = "sidecar"
    egress: str | None = None
    direct: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    admin: str | None = DEFAULT_ADMIN
    probes: str | None = DEFAULT_PROBES
    forwarded_for: str | None = None
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
                drain=_drain(said.get("DUBBO_MESH_DRAIN")),
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
    if not _ADDRESS.fullmatch(value):
        raise ConfigurationError(f"DUBBO_MESH_FORWARDED_FOR: {value!r} is neither off, pod nor an IP address")
    return value


def _drain(value: str | None) -> float:
    if value is None:
        return DEFAULT_DRAIN
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ConfigurationError(f"DUBBO_MESH_DRAIN: {value!r} is not a number of seconds, 0 to 86400")
    return seconds
