"""Which address a connection manager takes for the caller's, if it goes by a header of the request.

That is what extensions for the detection of the original address do; without any, Envoy adds the one for
`x-forwarded-for` (`Http::Utility::getLastAddressFromXFF`, `getLastNonTrustedAddressFromXFF`).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from ..addresses import Address, parsed, peer, ranges
from ..unknown import Unknown
from ..values import Json, has, mapping, number, objects, text
from .listeners import Manager

_XFF = "envoy.extensions.http.original_ip_detection.xff.v3.XffConfig"


class NotDetected(Enum):
    """Why no address was found that Envoy trusts."""

    NO_FORWARDED_FOR = auto()
    SEVERAL_ADDRESSES = auto()
    NO_ADDRESS = auto()
    TRUSTED_HOPS = auto()
    UNTRUSTED_PROXY = auto()


class Detected(NamedTuple):
    """What was found.

    Attributes:
        address: the address; None if there is none.
        problem: why it is not trusted; None if it may be internal.
        shown: what the header says.
    """

    address: Address | None
    problem: NotDetected | None
    shown: str | None


def detected(manager: Manager, source: str | None, forwarded_for: str | None) -> Detected | Unknown:
    """The address of the caller, by a header.

    Args:
        manager: the connection manager; its `use_remote_address` is off.
        source: the address that the connection comes from; None if that is not known.
        forwarded_for: the `x-forwarded-for` of requests.
    """
    extensions = [
        mapping(each, "typed_config") for each in objects(manager.message, "original_ip_detection_extensions")
    ]
    if not extensions:
        extensions = [
            {"@type": _XFF, "xff_num_trusted_hops": number(manager.message, "xff_num_trusted_hops")}
        ]
    if len(extensions) > 1 or not text(extensions[0], "@type").endswith(_XFF):
        names = ", ".join(text(each, "@type").rpartition(".")[2] for each in extensions)
        return Unknown(f"extensions say where requests come from: {names} (original_ip_detection_extensions)")
    return _by_xff(extensions[0], source, forwarded_for)


def _by_xff(extension: Json, source: str | None, forwarded_for: str | None) -> Detected | Unknown:
    if has(extension, "xff_trusted_cidrs"):
        return _not_of_proxies(mapping(extension, "xff_trusted_cidrs"), source, forwarded_for)
    if forwarded_for is None:
        return Detected(None, NotDetected.NO_FORWARDED_FOR, None)
    parts = forwarded_for.split(",")
    hops = number(extension, "xff_num_trusted_hops") or 0
    if hops > 0:
        address = _parsed(parts[-hops - 1]) if len(parts) > hops else None
        return Detected(address, NotDetected.TRUSTED_HOPS, forwarded_for)
    # Behind a last comma without anything, Envoy takes the whole.
    address = _parsed(parts[-1]) if parts[-1] else _parsed(forwarded_for)
    if len(parts) > 1:
        return Detected(address, NotDetected.SEVERAL_ADDRESSES, forwarded_for)
    return Detected(address, None if address is not None else NotDetected.NO_ADDRESS, forwarded_for)


def _not_of_proxies(trusted: Json, source: str | None, forwarded_for: str | None) -> Detected | Unknown:
    proxies = ranges(objects(trusted, "cidrs"))
    connection = None if source is None else peer(source)
    if connection is None:
        return Unknown("the address that calls come from is not known")
    if not any(connection in each for each in proxies):
        return Detected(None, NotDetected.UNTRUSTED_PROXY, forwarded_for)
    if forwarded_for is None:
        return Detected(None, NotDetected.NO_FORWARDED_FOR, None)
    parts = forwarded_for.split(",")
    address = _parsed(parts[-1])
    if len(parts) > 1:  # of these, it takes the last one that is not a proxy's, but trusts none
        return Detected(address, NotDetected.SEVERAL_ADDRESSES, forwarded_for)
    return Detected(address, None if address is not None else NotDetected.NO_ADDRESS, forwarded_for)


def _parsed(part: str) -> Address | None:
    return parsed(part.strip())
