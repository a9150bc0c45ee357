"""Which filter chain of a listener a connection gets.

Envoy goes from criterion to criterion, in the order that `config.listener.v3.FilterChainMatch` documents. At
each, it goes on with the chains whose value is the most specific one that matches, and never comes back to
the others (`FilterChainManagerImpl`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..addresses import Address, Range, is_loopback, peer, ranges
from ..connection import Connection
from ..unknown import Unknown
from ..values import Json, at, flag, has, mapping, number, objects, text, texts

_HTTP_INSPECTOR = "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"


def filter_chain_of(listener: Json, connection: Connection) -> Json | Unknown | None:
    """The `FilterChain` that a plaintext HTTP/2 connection gets.

    Args:
        listener: the `Listener` message.
        connection: the connection.

    Returns:
        None if Envoy closes the connection, as no chain matches.
    """
    if has(listener, "filter_chain_matcher"):
        return Unknown(f"{_name(listener)} chooses filter chains by a matcher (filter_chain_matcher)")
    chains = list(objects(listener, "filter_chains"))
    found = _most_specific(listener, chains, connection)
    if found is None and has(listener, "default_filter_chain"):
        return mapping(listener, "default_filter_chain")
    if found is None and has(listener, "fcds_config"):
        return Unknown(f"{_name(listener)} is given filter chains on demand (fcds_config)")
    return found


def _most_specific(listener: Json, chains: Sequence[Json], connection: Connection) -> Json | Unknown | None:
    source = None if connection.source is None else peer(connection.source)
    host = None if connection.host is None else peer(connection.host)
    left: Sequence[Json] | Unknown = _by_value(
        chains,
        lambda chain: _one(number(chain, "filter_chain_match", "destination_port")),
        (connection.port,),
    )
    left = _by_range(left, "prefix_ranges", host, "the address that it is opened to")
    left = _by_value(left, lambda chain: texts(chain, "filter_chain_match", "server_names"), ())
    left = _by_value(
        left, lambda chain: _one(text(chain, "filter_chain_match", "transport_protocol")), ("raw_buffer",)
    )
    inspected = ("h2c",) if _inspected(listener, connection.port) else ()
    left = _by_value(
        left, lambda chain: texts(chain, "filter_chain_match", "application_protocols"), inspected
    )
    left = _by_range(left, "direct_source_prefix_ranges", source, "the address that it comes from")
    left = _by_source_type(left, source, host)
    left = _by_range(left, "source_prefix_ranges", source, "the address that it comes from")
    if isinstance(left, Unknown):
        return Unknown(f"{_name(listener)} has several filter chains, and {left.why}")
    if any(at(chain, "filter_chain_match", "source_ports") for chain in left):
        return Unknown(f"{_name(listener)} chooses filter chains by the port that a connection comes from")
    return left[0] if left else None


def _one(value: object) -> list[object]:
    return [value] if value else []


def _by_value(
    chains: Sequence[Json] | Unknown, values: Callable[[Json], Sequence[object]], wanted: Sequence[object]
) -> Sequence[Json] | Unknown:
    if isinstance(chains, Unknown):
        return chains
    for each in wanted:
        if matching := [chain for chain in chains if each in values(chain)]:
            return matching
    return [chain for chain in chains if not values(chain)]


def _by_range(
    chains: Sequence[Json] | Unknown, field: str, address: Address | None, what: str
) -> Sequence[Json] | Unknown:
    """The chains with the longest range that has the address; a chain without ranges has all addresses."""
    if isinstance(chains, Unknown):
        return chains
    given = [(ranges(objects(chain, "filter_chain_match", field)), chain) for chain in chains]
    if not any(networks for networks, _ in given):
        return chains
    if address is None:
        return Unknown(f"{what} is not known")
    lengths = [(_longest(networks, address), chain) for networks, chain in given]
    best = max((length for length, _ in lengths if length is not None), default=None)
    return [chain for length, chain in lengths if length is not None and length == best]


def _longest(networks: Sequence[Range], address: Address) -> int | None:
    if not networks:
        return 0
    return max((each.prefixlen for each in networks if address in each), default=None)


def _by_source_type(
    chains: Sequence[Json] | Unknown, source: Address | None, host: Address | None
) -> Sequence[Json] | Unknown:
    if isinstance(chains, Unknown):
        return chains
    kinds = [(text(chain, "filter_chain_match", "source_type") or "ANY", chain) for chain in chains]
    if all(kind == "ANY" for kind, _ in kinds):
        return chains
    if source is None or (host is None and not is_loopback(source)):
        return Unknown("the address that it comes from is not known")
    wanted = "SAME_IP_OR_LOOPBACK" if is_loopback(source) or source == host else "EXTERNAL"
    exact = [chain for kind, chain in kinds if kind == wanted]
    return exact or [chain for kind, chain in kinds if kind == "ANY"]


def _inspected(listener: Json, port: int) -> bool:
    """Whether the listener looks at which version of HTTP a connection speaks."""
    for each in objects(listener, "listener_filters"):
        kind = text(each, "typed_config", "@type").rpartition("/")[2]
        if kind == _HTTP_INSPECTOR or text(each, "name") == "envoy.filters.listener.http_inspector":
            return not _holds(mapping(each, "filter_disabled"), port)
    return False


def _holds(predicate: Json, port: int) -> bool:
    """Whether a `ListenerFilterChainMatchPredicate` holds; an empty one never does."""
    if has(predicate, "not_match"):
        return not _holds(mapping(predicate, "not_match"), port)
    if has(predicate, "or_match"):
        return any(_holds(rule, port) for rule in objects(predicate, "or_match", "rules"))
    if has(predicate, "and_match"):
        return all(_holds(rule, port) for rule in objects(predicate, "and_match", "rules"))
    if has(predicate, "destination_port_range"):
        start = number(predicate, "destination_port_range", "start") or 0
        return start <= port < (number(predicate, "destination_port_range", "end") or 0)
    return flag(predicate, "any_match") is True


def _name(listener: Json) -> str:
    address = mapping(listener, "address", "socket_address")
    return f"listener {text(listener, 'name') or text(address, 'address')}"
