"""Whether a connection manager considers requests internal: only of those does Envoy obey router headers.

The rules are those of Envoy's `ConnectionManagerUtility::mutateRequestHeaders`, measured on Envoy 1.40.
"""

from __future__ import annotations

import ipaddress
from enum import Enum
from typing import NamedTuple

from .listeners import Manager
from .values import flag, number, objects, text


class Cause(Enum):
    """Why requests are internal or external."""

    INTERNAL = "internal"
    NO_INTERNAL_ADDRESSES = "no address counts as internal"
    NOT_IN_RANGES = "the address is not in internal_address_config"
    NO_FORWARDED_FOR = "it goes by x-forwarded-for (use_remote_address is off), and none is sent"
    FORWARDED_FOR = "use_remote_address is on, and x-forwarded-for makes every request external there"
    UNKNOWN = "it cannot be known"


class Trust(NamedTuple):
    """The verdict on requests.

    Attributes:
        cause: why.
        address: the address that decides; None if none does, or it is not known.
        ranges: the addresses that count as internal.
        forwarded: whether the address is from `x-forwarded-for`, and not the connection's.
    """

    cause: Cause
    address: str | None
    ranges: tuple[str, ...]
    forwarded: bool = False

    @property
    def internal(self) -> bool:
        """Whether Envoy obeys the router headers of these requests."""
        return self.cause is Cause.INTERNAL


def trust(manager: Manager, source: str | None, forwarded_for: str | None) -> Trust:
    """Judges the requests of a connection.

    Args:
        manager: the connection manager that it meets.
        source: the address that it comes from; None if that is not known.
        forwarded_for: the `x-forwarded-for` that its requests have.
    """
    ranges = tuple(
        f"{text(each, 'address_prefix')}/{number(each, 'prefix_len') or 0}"
        for each in objects(manager.message, "internal_address_config", "cidr_ranges")
    )
    if not ranges:
        return Trust(Cause.NO_INTERNAL_ADDRESSES, None, ())
    if flag(manager.message, "use_remote_address"):
        if forwarded_for is not None:
            return Trust(Cause.FORWARDED_FOR, forwarded_for, ranges)
        address = source
    else:
        if forwarded_for is None:
            return Trust(Cause.NO_FORWARDED_FOR, None, ranges)
        address = forwarded_for
    if address is None:
        return Trust(Cause.UNKNOWN, None, ranges)
    cause = Cause.INTERNAL if _contained(address, ranges) else Cause.NOT_IN_RANGES
    return Trust(cause, address, ranges, forwarded=forwarded_for is not None)


def _contained(address: str, ranges: tuple[str, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
        return any(parsed in ipaddress.ip_network(each, strict=False) for each in ranges)
    except ValueError:
        return False
