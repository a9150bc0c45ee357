"""Patterns of addresses: networks, and `*` and ranges in each part (NetUtils.matchIpExpression)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..worlds import Instance

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def are_of(patterns: Iterable[str], one: Instance, *, wildcards: bool) -> bool:
    """Whether one of some patterns holds for an instance.

    Args:
        patterns: the patterns.
        one: the instance.
        wildcards: whether they may be more than addresses, as in Java.
    """
    if wildcards:
        return any(matches(pattern, one.host, one.port) for pattern in patterns)
    return not {f"{one.host}:{one.port}", f"0.0.0.0:{one.port}"}.isdisjoint(patterns)


def matches(pattern: str, host: str, port: int) -> bool:
    """Whether a pattern holds for an address. A bad pattern holds for none, which Dubbo only logs."""
    if pattern == f"0.0.0.0:{port}":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return pattern in {f"{host}:{port}", host}
    if "/" in pattern:
        return _is_in_network(pattern, address)
    pattern = pattern.strip()
    if pattern in {"*", "*.*.*.*"}:
        return True
    name, wanted = _name_and_port(pattern, address)
    if wanted not in {None, str(port)}:
        return False
    if "*" in name or "-" in name:
        return _parts_match(name, address)
    return _address(name) == address


def _is_in_network(pattern: str, address: _Address) -> bool:
    name, _, length = pattern.partition("/")
    network = _address(name)
    if network is None or network.version != address.version or not _is_number(length, 10):
        return False
    # Lengths beyond that of an address are that of one.
    other_bits = max(address.max_prefixlen - int(length), 0)
    return int(network) >> other_bits == int(address) >> other_bits


def _name_and_port(pattern: str, address: _Address) -> tuple[str, str | None]:
    if pattern.startswith("["):
        name, end, port = pattern[1:].partition("]")
        return (name, port[1:] if port else None) if end else (pattern, None)
    name, colon, port = pattern.partition(":")
    return (name, port) if address.version == 4 and colon else (pattern, None)


def _parts_match(pattern: str, address: _Address) -> bool:
    if address.version == 4:
        base, sign, parts = 10, ".", str(address).split(".")
    else:
        base, sign = 16, ":"
        parts = [f"{int(part, 16):x}" for part in address.exploded.split(":")]
    patterns = pattern.split(sign)
    return len(patterns) == len(parts) and all(map(_part_matches, patterns, parts, [base] * len(parts)))


def _part_matches(pattern: str, part: str, base: int) -> bool:
    low, dash, high = pattern.partition("-")
    if dash and _is_number(low, base) and _is_number(high, base):
        return int(low, base) <= int(part, base) <= int(high, base)
    return pattern in {"*", part} or (part == "0" and pattern in {"00", "000", "0000"})


def _address(text: str) -> _Address | None:
    """An address as Java reads it: numbers may begin with zeros."""
    parts = text.split(".")
    if len(parts) == 4 and all(_is_number(part, 10) for part in parts):
        text = ".".join([str(int(part)) for part in parts])
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_number(text: str, base: int) -> bool:
    digits = "0123456789abcdefABCDEF" if base == 16 else "0123456789"
    return 0 < len(text) < 10 and all(digit in digits for digit in text)
