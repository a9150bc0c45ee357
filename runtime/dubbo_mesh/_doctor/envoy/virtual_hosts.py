"""Which virtual host of a route configuration an `:authority` matches."""

from __future__ import annotations

from .values import Json, flag, objects, texts


def virtual_host_of(routes: Json, authority: str) -> Json | None:
    """The `VirtualHost`; None if none matches.

    The most specific domain wins: an exact one, then the longest `*suffix`, then the longest `prefix*`, then
    `*` (Envoy's `config.route.v3.VirtualHost.domains`).
    """
    host = authority.lower()
    if flag(routes, "ignore_port_in_host_matching"):
        host = host.rpartition(":")[0] or host
    best: tuple[int, int] | None = None
    found: Json | None = None
    for each in objects(routes, "virtual_hosts"):
        for domain in texts(each, "domains"):
            rank = _rank(domain.lower(), host)
            if rank is not None and (best is None or rank > best):
                best, found = rank, each
    return found


def _rank(domain: str, host: str) -> tuple[int, int] | None:
    if domain == host:
        return 3, 0
    if domain == "*":
        return 0, 0
    if domain.startswith("*") and host.endswith(domain[1:]) and len(host) >= len(domain):
        return 2, len(domain)
    if domain.endswith("*") and host.startswith(domain[:-1]) and len(host) >= len(domain):
        return 1, len(domain)
    return None
