"""Patterns of addresses: networks, and `*` and ranges in each part (NetUtils.matchIpExpression)."""

from __future__ import annotations

import ipaddress


def matches(pattern: str, host: str, port: int) -> bool:
    """Whether a pattern holds for an address. A bad pattern holds for none, which Dubbo only logs."""
    if pattern == f"0.0.0.0:{port}":
        return True
    try:
        address = ipaddress.ip_address(host)
        if "/" in pattern:
            return address in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return pattern == f"{host}:{port}" or pattern == host
    pattern = pattern.strip()
    if pattern in {"*", "*.*.*.*"}:
        return True
    if isinstance(address, ipaddress.IPv6Address):
        return _ipv6(pattern, address, port)
    name, colon, wanted = pattern.partition(":")
    if colon and wanted != str(port):
        return False
    return _parts_match(name.split("."), host.split("."))


def _parts_match(patterns: list[str], parts: list[str]) -> bool:
    if len(patterns) != len(parts):
        return False
    for pattern, part in zip(patterns, parts, strict=True):
        low, dash, high = pattern.partition("-")
        if dash and low.isdecimal() and high.isdecimal():
            if not int(low) <= int(part) <= int(high):
                return False
        elif pattern not in {"*", part}:
            return False
    return True


def _ipv6(pattern: str, address: ipaddress.IPv6Address, port: int) -> bool:
    name, _, wanted = pattern.rpartition("]:") if pattern.startswith("[") else (pattern, "", "")
    if wanted and wanted != str(port):
        return False
    try:
        return ipaddress.ip_address(name.strip("[]")) == address
    except ValueError:
        return False
