"""How a target is dialled: where, with which channel options, and by which way."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import grpc

from .._contract.errors import ConfigurationError
from .._contract.logs import logger
from .._contract.target import Target
from .._contract.validation import host_port
from .environment import Environment, Mode

_log = logger(__name__)

ChannelOptions = Sequence[tuple[str, Any]]

Way = Literal["sidecar", "proxyless", "direct", "address"]
"""What a connection leads to, which decides about the headers that go with its calls.

The local sidecar; a provider that grpc's own xDS client picks; the provider's address of direct mode; or an
address that the caller gave, of which nothing more is known.
"""

_PLAIN = (("grpc.enable_http_proxy", 0),)
"""`http_proxy` is ignored for mesh addresses."""

_SIDECAR: tuple[tuple[str, Any], ...] = (
    *_PLAIN,
    # Discovery, balancing and retries are the sidecar's business. Without a service config grpc has no retry
    # policy; grpc.enable_retries stays on for calls that a draining Envoy refuses without having seen them.
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.lb_policy_name", "pick_first"),
    # The sidecar is on this host, and may start after the app or be restarted: do not back off for minutes,
    # nor wait the 20 s that grpc grants to a connection that is accepted but not served.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", 5000),
)

_URL_PORTS = {"http": 80, "https": 443, "tri": 50051}
"""The URL schemes and their default ports; `tri` is Dubbo's (its `TripleProtocol`)."""

_XDS_BOOTSTRAP = ("GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG")
"""The variables that grpc reads its xDS bootstrap from: the name of a file, or its content."""


class Dial(NamedTuple):
    """What to give to grpc to reach a target.

    Attributes:
        address: in grpc's syntax.
        way: what it leads to.
        options: channel options.
        why: the reason, for people to read.
        security: what secures the connection unless the caller gives credentials: `none`; `tls`, with the
            roots that grpc trusts by default; `xds`, what the control plane says, which may be nothing.
    """

    address: str
    way: Way
    options: tuple[tuple[str, Any], ...]
    why: str
    security: Literal["none", "tls", "xds"] = "none"

    def credentials(self, given: grpc.ChannelCredentials | None) -> grpc.ChannelCredentials | None:
        """The credentials to open the channel with; None for clear text. `given` are the caller's."""
        if self.security == "xds":
            return grpc.xds_channel_credentials(given or _clear_text())
        if self.security == "tls" and given is None:
            return grpc.ssl_channel_credentials()
        return given

    def with_options(self, given: ChannelOptions) -> list[tuple[str, Any]]:
        """All channel options; the caller's replace ours of the same name."""
        names = {name for name, _ in given}
        return [*(option for option in self.options if option[0] not in names), *given]


def _clear_text() -> grpc.ChannelCredentials:
    # xDS credentials fall back to them; types-grpcio does not know the module.
    credentials: grpc.ChannelCredentials
    credentials = importlib.import_module("grpc.experimental").insecure_channel_credentials()
    return credentials


def dial(target: Target | str, environment: Environment) -> Dial:
    """Resolves how `target` is reached in the mode of `environment`.

    Args:
        target: a mesh target; or an address, which is dialled as it is (as in Dubbo, an explicit URL wins):
            anything that grpc takes, or a URL with the scheme `http`, `https` or `tri`.
        environment: the mode and its addresses.

    Raises:
        ConfigurationError: the mode is direct and `DUBBO_MESH_DIRECT` has no address for the app, or it is
            proxyless and the variable for the control plane is not set.
        ValueError: the address is empty, or a URL with more than scheme, host and port.
    """
    if isinstance(target, str):
        return _dial_address(target)
    if target.app in environment.direct and not environment.uses_direct:
        _warn_of_unused_address(target.app, environment.mode)
    return _dial_mesh(target, environment, environment.mode, "DUBBO_MESH_MODE")


@functools.cache  # so that it warns once for each app
def _warn_of_unused_address(app: str, mode: Mode) -> None:
    _log.warning(
        "the address of app %r in DUBBO_MESH_DIRECT is not used: DUBBO_MESH_MODE is %s. Set it to direct, or "
        "DUBBO_MESH_FALLBACK, or unset DUBBO_MESH_DIRECT",
        app,
        mode,
    )


def _dial_mesh(target: Target, environment: Environment, mode: Mode, variable: str) -> Dial:
    """The way to `target` in `mode`, which `variable` asks for."""
    if mode == "direct":
        try:
            address = environment.direct[target.app]
        except KeyError:
            raise ConfigurationError(
                f"DUBBO_MESH_DIRECT has no address for app {target.app!r}, and {variable} is direct"
            ) from None
        return Dial(address, "direct", _PLAIN, f"{variable} is direct, DUBBO_MESH_DIRECT has the address")
    if mode == "proxyless":
        if not any(os.environ.get(name) for name in _XDS_BOOTSTRAP):
            raise ConfigurationError(
                f"{' or '.join(_XDS_BOOTSTRAP)} must be set for the control plane: {variable} is proxyless"
            )
        return Dial(f"xds:///{target.authority}", "proxyless", _PLAIN, f"{variable} is proxyless", "xds")
    options = (*_SIDECAR, ("grpc.default_authority", target.authority))
    if environment.egress is not None:
        return Dial(environment.egress, "sidecar", options, "DUBBO_MESH_EGRESS is the sidecar's listener")
    # With its four dots the name is below Kubernetes' ndots:5, so a lookup would try the search list first;
    # a trailing dot makes it complete. The authority must not have the dot: Envoy would not match it.
    return Dial(
        f"dns:///{target.host}.:{target.port}", "sidecar", options, "the sidecar intercepts the connection"
    )


def _dial_address(address: str) -> Dial:
    scheme, separator, _ = address.partition("://")
    scheme = scheme.lower() if separator else ""
    if scheme in _URL_PORTS:
        from urllib.parse import urlsplit

        url = urlsplit(address)
        if not url.hostname or url.path not in ("", "/") or url.query or url.fragment or url.username:
            raise ValueError(f"target {address!r}: a URL must be scheme://host:port and nothing more")
        address = host_port(url.hostname, url.port or _URL_PORTS[scheme])
    if not address:
        raise ValueError("target is empty: omit it to use the service's own address")
    return Dial(address, "address", (), "an address was given", "tls" if scheme == "https" else "none")


class Backup(NamedTuple):
    """The way past a sidecar that is out of reach.

    Attributes:
        dial: how to reach the provider.
        provider: its app, for the log.
        mode: of this way, for the log.
        after: seconds that the sidecar must have been out of reach before this way is taken.
    """

    dial: Dial
    provider: str
    mode: str
    after: float


def ways(target: Target | str, environment: Environment, connections: int) -> tuple[Dial, Backup | None]:
    """The way to `target`; and the backup, if the environment asks for one.

    Raises:
        ConfigurationError: as of `dial`, for either way.
        ValueError: `connections` is not positive.
    """
    if connections < 1:
        raise ValueError(f"connections must be at least 1, not {connections!r}")
    main = dial(target, environment)
    if connections > 1:
        # Otherwise grpc shares one connection among channels to the same address.
        main = main._replace(options=(*main.options, ("grpc.use_local_subchannel_pool", 1)))
    mode = environment.fallback
    if mode is None or environment.mode != "sidecar" or isinstance(target, str):
        return main, None
    backup = _dial_mesh(target, environment, mode, "DUBBO_MESH_FALLBACK")
    return main, Backup(backup, target.app, mode, environment.fallback_after)
