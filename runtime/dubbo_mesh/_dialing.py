"""Where a target is dialled, and with which channel options. The core that sync and async stubs share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ._environment import Environment
from ._errors import ConfigurationError
from ._fallback import Fallback
from ._target import Target

ChannelOptions = Sequence[tuple[str, Any]]

_PLAIN = (("grpc.enable_http_proxy", 0),)
"""No mesh address is to be reached through `http_proxy`, whatever the environment says."""

_SIDECAR: tuple[tuple[str, Any], ...] = (
    *_PLAIN,
    # Discovery, balancing and retries are the sidecar's.
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.enable_retries", 0),
    ("grpc.lb_policy_name", "pick_first"),
    # It is on this host, and may come up after the app or restart: do not back off for minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class Dial(NamedTuple):
    """What to give to grpc to reach a target."""

    address: str
    options: tuple[tuple[str, Any], ...]
    why: str


def dial(target: Target | str, environment: Environment) -> Dial:
    """Settles how `target` is reached in the mode of `environment`.

    Args:
        target: a mesh target; or an address, which is dialled as it is: anything that grpc takes, or a
            URL with the scheme `http` or `https` (Dubbo's: an explicit URL wins).
        environment: the mode, and the addresses that go with it.

    Raises:
        ConfigurationError: the mode is direct and `DUBBO_MESH_DIRECT` has no address for the app.
    """
    if isinstance(target, str):
        address = target
        for scheme in ("http://", "https://"):
            address = address.removeprefix(scheme)
        return Dial(address, (), "an address was given")
    if environment.mode == "direct":
        try:
            address = environment.direct[target.app]
        except KeyError:
            raise ConfigurationError(
                f"DUBBO_MESH_DIRECT has no address for app {target.app!r}, and DUBBO_MESH_MODE is direct"
            ) from None
        return Dial(address, _PLAIN, "DUBBO_MESH_MODE is direct, DUBBO_MESH_DIRECT has the address")
    if environment.mode == "proxyless":
        return Dial(f"xds:///{target.authority}", (), "DUBBO_MESH_MODE is proxyless")
    options = (*_SIDECAR, ("grpc.default_authority", target.authority))
    if environment.egress is not None:
        return Dial(environment.egress, options, "DUBBO_MESH_EGRESS is the sidecar's listener")
    # With four dots the name is below Kubernetes' ndots:5, and a lookup would try the search list first;
    # a trailing dot says that it is complete. The authority must not have it: Envoy would not match it.
    return Dial(f"dns:///{target.host}.:{target.port}", options, "the sidecar intercepts the connection")


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
