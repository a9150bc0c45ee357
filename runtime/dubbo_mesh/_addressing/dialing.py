"""Where a target is dialled, and with which channel options. The core that sync and async stubs share."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import grpc

from .._contract.errors import ConfigurationError
from .._contract.target import Target
from .environment import Environment
from .fallback import Fallback

ChannelOptions = Sequence[tuple[str, Any]]

_PLAIN = (("grpc.enable_http_proxy", 0),)
"""No mesh address is to be reached through `http_proxy`, whatever the environment says."""

_SIDECAR: tuple[tuple[str, Any], ...] = (
    *_PLAIN,
    # Discovery and balancing are the sidecar's, and retries: without a service config there is no policy for
    # them. grpc.enable_retries stays on all the same, for calls that Envoy refuses unseen when it drains.
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.lb_policy_name", "pick_first"),
    # It is on this host, and may come up after the app or restart: do not back off for minutes, and do not
    # wait the 20 s that grpc grants a connection that is accepted but not served.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", 5000),
)

_URL_PORTS = {"http": 80, "https": 443, "tri": 50051}
"""The schemes of URLs and their default ports; `tri` is Dubbo's (its `TripleProtocol`)."""

_XDS_BOOTSTRAP = ("GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG")
"""What grpc reads its xDS bootstrap from: the name of a file, or its content."""


class Dial(NamedTuple):
    """What to give to grpc to reach a target.

    Attributes:
        address: in grpc's syntax.
        options: channel options.
        why: what decided it, for people.
        security: what secures the connection if nobody gives credentials: `none`; `tls`, with the roots
            that grpc trusts by itself; `xds`, what the control plane says, which may be nothing.
    """

    address: str
    options: tuple[tuple[str, Any], ...]
    why: str
    security: Literal["none", "tls", "xds"] = "none"

    def credentials(self, given: grpc.ChannelCredentials | None) -> grpc.ChannelCredentials | None:
        """The credentials to open the channel with, None for clear text; `given` are the caller's."""
        if self.security == "xds":
            return grpc.xds_channel_credentials(given or _clear_text())
        if self.security == "tls" and given is None:
            return grpc.ssl_channel_credentials()
        return given

    def with_options(self, given: ChannelOptions) -> list[tuple[str, Any]]:
        """All channel options: a caller's own take the place of ours."""
        names = {name for name, _ in given}
        return [*(option for option in self.options if option[0] not in names), *given]


def _clear_text() -> grpc.ChannelCredentials:
    # What xDS credentials can fall back to; types-grpcio does not know the module.
    credentials: grpc.ChannelCredentials
    credentials = importlib.import_module("grpc.experimental").insecure_channel_credentials()
    return credentials


def dial(target: Target | str, environment: Environment) -> Dial:
    """Settles how `target` is reached in the mode of `environment`.

    Args:
        target: a mesh target; or an address, which is dialled as it is (Dubbo's: an explicit URL wins):
            anything that grpc takes, or a URL with the scheme `http`, `https` or `tri`.
        environment: the mode, and the addresses that go with it.

    Raises:
        ConfigurationError: the mode is direct and `DUBBO_MESH_DIRECT` has no address for the app, or it is
            proxyless and nothing says where the control plane is.
        ValueError: the address is empty, or a URL that says more than scheme, host and port.
    """
    if isinstance(target, str):
        return _dial_address(target)
    if environment.mode == "direct":
        try:
            address = environment.direct[target.app]
        except KeyError:
            raise ConfigurationError(
                f"DUBBO_MESH_DIRECT has no address for app {target.app!r}, and DUBBO_MESH_MODE is direct"
            ) from None
        return Dial(address, _PLAIN, "DUBBO_MESH_MODE is direct, DUBBO_MESH_DIRECT has the address")
    if environment.mode == "proxyless":
        if not any(os.environ.get(name) for name in _XDS_BOOTSTRAP):
            raise ConfigurationError(
                f"{' or '.join(_XDS_BOOTSTRAP)} must say where the control plane is: the mode is proxyless"
            )
        return Dial(f"xds:///{target.authority}", _PLAIN, "DUBBO_MESH_MODE is proxyless", "xds")
    options = (*_SIDECAR, ("grpc.default_authority", target.authority))
    if environment.egress is not None:
        return Dial(environment.egress, options, "DUBBO_MESH_EGRESS is the sidecar's listener")
    # With four dots the name is below Kubernetes' ndots:5, and a lookup would try the search list first;
    # a trailing dot says that it is complete. The authority must not have it: Envoy would not match it.
    return Dial(f"dns:///{target.host}.:{target.port}", options, "the sidecar intercepts the connection")


def _dial_address(address: str) -> Dial:
    scheme, separator, _ = address.partition("://")
    scheme = scheme.lower() if separator else ""
    if scheme in _URL_PORTS:
        from urllib.parse import urlsplit

        url = urlsplit(address)
        if not url.hostname or url.path not in ("", "/") or url.query or url.fragment or url.username:
            raise ValueError(f"target {address!r}: a URL to dial is scheme://host:port, and no more")
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        address = f"{host}:{url.port or _URL_PORTS[scheme]}"
    if not address:
        raise ValueError("target is empty: leave it out for the service's own address")
    return Dial(address, (), "an address was given", "tls" if scheme == "https" else "none")


def ways(
    target: Target | str, environment: Environment, connections: int
) -> tuple[Dial, Dial | None, Fallback | None]:
    """The way to `target`; and, if the environment asks for a fallback, the backup and who takes it.

    Raises:
        ConfigurationError: as of `dial`, for either way.
        ValueError: `connections` is not positive.
    """
    if connections < 1:
        raise ValueError(f"connections {connections!r}: there must be at least one")
    main = dial(target, environment)
    if connections > 1:
        # Otherwise grpc shares one connection among channels to the same address.
        main = main._replace(options=(*main.options, ("grpc.use_local_subchannel_pool", 1)))
    if environment.fallback is None or environment.mode != "sidecar" or isinstance(target, str):
        return main, None, None
    backup = dial(target, replace(environment, mode=environment.fallback))
    return main, backup, Fallback(target.app, environment.fallback, environment.fallback_after)
