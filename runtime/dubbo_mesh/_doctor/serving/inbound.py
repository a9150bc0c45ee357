"""The sidecar in front of this application's own server: how it speaks to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..envoy.snapshot import Snapshot
from ..envoy.values import has, mapping, number, objects, seconds, text

_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Pinging(NamedTuple):
    """A cluster whose connections are pinged (`connection_keepalive`).

    Attributes:
        cluster: its name.
        interval: seconds between two pings.
    """

    cluster: str
    interval: float


def clusters_to(snapshot: Snapshot, port: int) -> Iterator[str]:
    """The names of the clusters that lead to a server on this host which listens on `port`.

    Istio's are called `inbound|PORT||`, and may name no endpoint of their own.
    """
    for name, message in snapshot.clusters.items():
        if name.startswith(f"inbound|{port}|"):
            yield name
            continue
        for locality in objects(message, "load_assignment", "endpoints"):
            for each in objects(locality, "lb_endpoints"):
                address = mapping(each, "endpoint", "address", "socket_address")
                local = text(address, "address").startswith("127.") or text(address, "address") == "::1"
                if local and number(address, "port_value") == port:
                    yield name


def pinging(snapshot: Snapshot, port: int) -> Iterator[Pinging]:
    """The clusters that lead to a server on this host and ping it."""
    for name in dict.fromkeys(clusters_to(snapshot, port)):
        options = mapping(snapshot.clusters[name], "typed_extension_protocol_options", _OPTIONS)
        for kind in ("explicit_http_config", "use_downstream_protocol_config", "auto_config"):
            path = (kind, "http2_protocol_options", "connection_keepalive")
            if has(options, *path):
                interval = seconds(options, *path, "interval")
                if interval:
                    yield Pinging(name, interval)
