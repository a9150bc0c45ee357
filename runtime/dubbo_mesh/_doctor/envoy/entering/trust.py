"""Whether a connection manager considers requests internal: only of those does Envoy obey router headers.

The rules are those of Envoy's `ConnectionManagerUtility::mutateRequestHeaders`, measured on Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from ..addresses import Address, Range, peer, ranges
from ..configuration.snapshot import Snapshot
from ..unknown import Unknown
from ..values import flag, has, objects
from .detection import Detected, detected
from .listeners import Manager

_PRIVATE = [
    {"address_prefix": address, "prefix_len": length}
    for address, length in (
        ("10.0.0.0", 8),
        ("172.16.0.0", 12),
        ("192.168.0.0", 16),
        ("127.0.0.1", 32),
        ("fd00::", 8),
        ("::1", 128),
    )
]
"""What counts as internal if no ranges are configured (`Network::Utility::isInternalAddress`): for an empty
`internal_address_config`, and without one before Envoy 1.33 (read in its source: there are no builds of
these that tests could run)."""

_FLAG = "envoy.reloadable_features.explicit_internal_address_config"
"""With which Envoy 1.32 could do without these addresses, and 1.33 to 1.35 could keep them."""


class Cause(Enum):
    """Why requests are internal or external."""

    INTERNAL = "internal"
    NO_INTERNAL_ADDRESSES = "no address counts as internal"
    NOT_IN_RANGES = "the address that calls come from is not in internal_address_config"
    FORWARDED_NOT_IN_RANGES = "the address in x-forwarded-for is not in internal_address_config"
    FORWARDED_FOR = "use_remote_address is on, and x-forwarded-for makes every request external there"
    NO_FORWARDED_FOR = "it goes by x-forwarded-for (use_remote_address is off), and none is sent"
    SEVERAL_ADDRESSES = "it goes by x-forwarded-for, and trusts only one with a single address"
    NO_ADDRESS = "it goes by x-forwarded-for, and what is sent is no IP address"
    TRUSTED_HOPS = "it expects proxies between this process and itself (xff_num_trusted_hops)"
    UNTRUSTED_PROXY = "it trusts x-forwarded-for only of certain proxies (xff_trusted_cidrs)"
    UNKNOWN = "it cannot be known"


class Trust(NamedTuple):
    """The verdict on requests.

    Attributes:
        cause: why.
        address: the address that decides; None if none does, or it is not known.
        ranges: the addresses that count as internal.
        edge: whether Envoy takes external requests as the first of their way: it then removes more headers.
        why: what it depends on, if it cannot be known.
    """

    cause: Cause
    address: str | None
    ranges: tuple[str, ...]
    edge: bool = False
    why: str = ""

    @property
    def internal(self) -> bool:
        """Whether Envoy obeys the router headers of these requests."""
        return self.cause is Cause.INTERNAL


def trust(
    manager: Manager, source: str | None, forwarded_for: str | None, snapshot: Snapshot | None = None
) -> Trust:
    """Judges the requests of a connection.

    Args:
        manager: the connection manager that it meets.
        source: the address that it comes from; None if that is not known.
        forwarded_for: the `x-forwarded-for` that its requests have.
        snapshot: the configuration of the Envoy, whose version matters.
    """
    inside = _internal_ranges(manager, snapshot)
    shown = tuple(str(each) for each in inside)
    remote = flag(manager.message, "use_remote_address") is True
    if remote:
        cause, address = _by_connection(source, forwarded_for, inside)
        return Trust(cause, address, shown, edge=cause is not Cause.INTERNAL)
    found = detected(manager, source, forwarded_for)
    if isinstance(found, Unknown):
        return Trust(Cause.UNKNOWN, None, shown, why=found.why)
    return Trust(_by_header(found, inside), found.shown, shown)


def _by_connection(
    source: str | None, forwarded_for: str | None, inside: Sequence[Range]
) -> tuple[Cause, str | None]:
    if not inside:
        return Cause.NO_INTERNAL_ADDRESSES, None
    if forwarded_for is not None:
        return Cause.FORWARDED_FOR, forwarded_for
    address = None if source is None else peer(source)
    if address is None:
        return Cause.UNKNOWN, source
    return (Cause.INTERNAL if _inside(address, inside) else Cause.NOT_IN_RANGES), str(address)


def _by_header(found: Detected, inside: Sequence[Range]) -> Cause:
    if not inside:
        return Cause.NO_INTERNAL_ADDRESSES
    if found.problem is not None:
        return Cause[found.problem.name]
    assert found.address is not None
    return Cause.INTERNAL if _inside(found.address, inside) else Cause.FORWARDED_NOT_IN_RANGES


def _inside(address: Address, inside: Sequence[Range]) -> bool:
    return any(address in each for each in inside)


def _internal_ranges(manager: Manager, snapshot: Snapshot | None) -> Sequence[Range]:
    if has(manager.message, "internal_address_config"):
        # Without ranges, private addresses count, in all versions.
        return ranges(list(objects(manager.message, "internal_address_config", "cidr_ranges")) or _PRIVATE)
    return ranges(_PRIVATE) if snapshot is not None and _trusts_private(snapshot) else ()


def _trusts_private(snapshot: Snapshot) -> bool:
    """Whether private addresses count as internal unless something else is configured."""
    if snapshot.version is None or snapshot.version >= (1, 36):
        return False
    explicit = snapshot.runtime.get(_FLAG)
    if explicit is None:
        return snapshot.version < (1, 33)
    return str(explicit).lower() == "false"
