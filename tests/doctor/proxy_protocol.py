"""The PROXY protocol: how a test has an Envoy believe that a connection is between other addresses."""

from __future__ import annotations

import ipaddress

from tests.sidecars.config import Json, typed

LISTENER_FILTER: Json = {
    "name": "envoy.filters.listener.proxy_protocol",
    "typed_config": typed("envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"),
}
"""The listener filter that believes it."""


def header(source: str, destination: str, port: int, source_port: int = 40000) -> bytes:
    """What a connection begins with.

    Args:
        source: the address that it is to come from.
        destination: the address that it is to be opened to.
        port: the port that it is to be opened to.
        source_port: the port that it is to come from.
    """
    version = ipaddress.ip_address(source).version
    return f"PROXY TCP{version} {source} {destination} {source_port} {port}\r\n".encode()
