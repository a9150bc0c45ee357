"""`[envoy]` in the config: how applications and their Envoys share one machine, or Docker's networks.

[envoy]
base_port = 15000           # of everything on one machine: each instance gets a block of ports from here on
block_size = 20             # the number of ports in each block
ipv6 = false                # true: on [::1] and [::] instead of 127.0.0.1 and 0.0.0.0
cluster_domain = "cluster.local"
compose_network = "shared"  # Docker Compose: the Envoy shares its app's network; "own": it has one
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..mesh.model import Mesh

_KEYS = ("base_port", "block_size", "ipv6", "cluster_domain", "compose_network")
_NETWORKS = ("shared", "own")

SMALLEST_BLOCK = 6
"""The ports of an instance that has one port of its own: see `ports.Block`."""


class EnvoySettings(NamedTuple):
    """The content of `[envoy]`.

    Attributes:
        base_port: the first port of the first block.
        block_size: the number of ports in each block.
        ipv6: whether addresses are IPv6.
        cluster_domain: the domain in mesh names.
        compose_network: the network of a sidecar in Docker Compose: that of its app, which it shares, or its
            own.
    """

    base_port: int = 15000
    block_size: int = 20
    ipv6: bool = False
    cluster_domain: str = "cluster.local"
    compose_network: str = "shared"


def read(mesh: Mesh) -> EnvoySettings:
    """Reads `[envoy]`.

    Raises:
        GenerationError: a key is unknown, or a value is not allowed.
    """
    settings = EnvoySettings()
    values = mesh.values
    if values is None:
        return settings
    from dubbo_mesh._contract.validation import check_domain, check_port

    table = mesh.table("envoy", _KEYS)
    if "base_port" in table:
        key = ("envoy", "base_port")
        port = values.whole(key, table["base_port"])
        settings = settings._replace(base_port=values.check(key, lambda: check_port("envoy.base_port", port)))
    if "block_size" in table:
        key = ("envoy", "block_size")
        size = values.whole(key, table["block_size"])
        if not SMALLEST_BLOCK <= size <= 1000:
            raise values.wrong(key, f"must be from {SMALLEST_BLOCK} to 1000, not {size}")
        settings = settings._replace(block_size=size)
    if "ipv6" in table:
        settings = settings._replace(ipv6=values.flag(("envoy", "ipv6"), table["ipv6"]))
    if "cluster_domain" in table:
        key = ("envoy", "cluster_domain")
        domain = values.text(key, table["cluster_domain"])
        domain = values.check(key, lambda: check_domain("envoy.cluster_domain", domain))
        settings = settings._replace(cluster_domain=domain)
    if "compose_network" in table:
        key = ("envoy", "compose_network")
        network = values.text(key, table["compose_network"])
        if network not in _NETWORKS:
            raise values.wrong(key, f"must be one of {', '.join(_NETWORKS)}, not {network!r}")
        settings = settings._replace(compose_network=network)
    return settings
