"""IP addresses and ranges, as Envoy compares them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

from .values import Json, number, text

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Range: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def parsed(address: str) -> Address | None:
    """The address; None if it is none: a name, or one with a zone."""
    if "%" in address:
        return None
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def peer(address: str) -> Address | None:
    """The address of a connection: one of IPv4 stays one of IPv4, even on a socket of IPv6."""
    found = parsed(address)
    if isinstance(found, ipaddress.IPv6Address):
        return found.ipv4_mapped or found
    return found


def is_loopback(address: Address) -> bool:
    """Whether Envoy takes an address for one of this host: of those of IPv4, 127.0.0.1 only."""
    return str(address) in ("127.0.0.1", "::1")


def ranges(messages: Iterable[Json]) -> list[Range]:
    """The ranges of `CidrRange` messages. Without a length, a range has all addresses of its version."""
    found: list[Range] = []
    for each in messages:
        prefix = f"{text(each, 'address_prefix')}/{number(each, 'prefix_len') or 0}"
        try:
            found.append(ipaddress.ip_network(prefix, strict=False))
        except ValueError:
            continue
    return found
