"""Addresses in grpc's syntax."""

from __future__ import annotations

import ipaddress


def host_and_port(address: str) -> tuple[str, int]:
    """Splits an address in grpc's syntax."""
    host, _, port = address.removeprefix("dns:///").removeprefix("xds:///").rpartition(":")
    return host.strip("[]"), int(port)


def is_ip(host: str) -> bool:
    """Whether it is an address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
