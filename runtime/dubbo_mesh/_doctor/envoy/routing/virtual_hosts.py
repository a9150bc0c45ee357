"""Which virtual host of a route configuration an `:authority` matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..entering.authority import without_port
from ..identity import remembered
from ..unknown import Unknown
from ..values import Json, flag, has, objects, text, texts
from .strings import lower


def virtual_host_of(routes: Json, authority: str) -> Json | Unknown | None:
    """The `VirtualHost`; None if none matches.

    The most specific domain wins: an exact one, then the longest `*suffix`, then the longest `prefix*`, then
    `*` (Envoy's `RouteMatcher::findVirtualHost`). A `*` beside other characters stands for at least one.

    Args:
        routes: the `RouteConfiguration` message.
        authority: the `:authority`, as the connection manager passes it on.
    """
    header = text(routes, "vhost_header")
    if header:
        return Unknown(f"virtual hosts are chosen by the header {header} (vhost_header)")
    host = lower(without_port(authority) if flag(routes, "ignore_port_in_host_matching") else authority)
    found = _index(routes).find(host)
    if found is None and has(routes, "vhds"):
        return Unknown("further virtual hosts are given on demand (vhds)")
    return found


class _Index(NamedTuple):
    """The virtual hosts of a route configuration, by their domains in lower case.

    Attributes:
        exact: those without `*`.
        suffixes: those after a `*`, by their lengths, the longest first.
        prefixes: those before a `*`, likewise.
        default: that of `*`.
    """

    exact: dict[str, Json]
    suffixes: dict[int, dict[str, Json]]
    prefixes: dict[int, dict[str, Json]]
    default: Json | None

    def find(self, host: str) -> Json | None:
        """The virtual host of a host in lower case."""
        found = self.exact.get(host)
        if found is None:
            found = _longest(self.suffixes, host, lambda length: host[len(host) - length :])
        if found is None:
            found = _longest(self.prefixes, host, lambda length: host[:length])
        return self.default if found is None else found


def _longest(by_length: dict[int, dict[str, Json]], host: str, part: Callable[[int], str]) -> Json | None:
    for length, domains in by_length.items():
        if length < len(host) and (found := domains.get(part(length))) is not None:
            return found
    return None


@remembered
def _index(routes: Json) -> _Index:
    exact: dict[str, Json] = {}
    suffixes: dict[int, dict[str, Json]] = {}
    prefixes: dict[int, dict[str, Json]] = {}
    default: Json | None = None
    for each in objects(routes, "virtual_hosts"):
        for domain in map(lower, texts(each, "domains")):
            if domain == "*":
                default = each
            elif domain.startswith("*"):
                suffixes.setdefault(len(domain) - 1, {})[domain[1:]] = each
            elif domain.endswith("*"):
                prefixes.setdefault(len(domain) - 1, {})[domain[:-1]] = each
            else:
                exact[domain] = each
    return _Index(exact, _longest_first(suffixes), _longest_first(prefixes), default)


def _longest_first(by_length: dict[int, dict[str, Json]]) -> dict[int, dict[str, Json]]:
    return dict(sorted(by_length.items(), reverse=True))
