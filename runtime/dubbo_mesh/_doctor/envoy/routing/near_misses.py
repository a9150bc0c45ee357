"""Which virtual hosts come close to an `:authority` that matches none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from ..entering.authority import without_port
from ..identity import remembered
from ..values import Json, objects, texts
from .strings import lower

Kind: TypeAlias = Literal["port", "no port", "dot", "namespace", "cluster domain", "app"]
"""What differs."""

_ORDER: tuple[Kind, ...] = ("dot", "no port", "port", "namespace", "cluster domain", "app")
_MOST = 3


class NearMiss(NamedTuple):
    """A virtual host that nearly matches.

    Attributes:
        kind: what differs.
        domain: the domain that is the nearest.
        what: what differs, in words.
    """

    kind: Kind
    domain: str
    what: str


def near_misses(routes: Json, authority: str) -> list[NearMiss]:
    """The virtual hosts that come the closest to an authority, the closest first; a few at most.

    Args:
        routes: the `RouteConfiguration` message.
        authority: the `:authority`, as the connection manager passes it on.
    """
    wanted = lower(authority)
    app, _, rest = wanted.partition(".")
    index = _index(routes)
    similar = [f"{each}.{rest}" for each in index.by_rest.get(rest, ()) if _similar(app, each)]
    found: dict[tuple[Kind, str], NearMiss] = {}
    for domain in (*index.by_app.get(without_port(app), ()), *similar):
        if (miss := _miss(wanted, domain)) is not None:
            found.setdefault((miss.kind, miss.what), miss)
    return sorted(found.values(), key=lambda miss: _ORDER.index(miss.kind))[:_MOST]


class _Index(NamedTuple):
    """The domains without `*` of a route configuration, in lower case.

    Attributes:
        by_app: by what is before the first dot, without a port.
        by_rest: what is before the first dot, by what is behind it.
    """

    by_app: dict[str, list[str]]
    by_rest: dict[str, list[str]]


@remembered
def _index(routes: Json) -> _Index:
    index = _Index({}, {})
    for host in objects(routes, "virtual_hosts"):
        for domain in texts(host, "domains"):
            if "*" not in domain:
                app, _, rest = lower(domain).partition(".")
                index.by_app.setdefault(without_port(app), []).append(lower(domain))
                index.by_rest.setdefault(rest, []).append(app)
    return index


def _miss(wanted: str, domain: str) -> NearMiss | None:
    for kind, what in _differences(wanted, domain):
        return NearMiss(kind, domain, what)
    return None


def _differences(wanted: str, domain: str) -> Iterator[tuple[Kind, str]]:
    host, other = without_port(wanted), without_port(domain)
    port, other_port = wanted[len(host) + 1 :], domain[len(other) + 1 :]
    same_port = port == other_port
    dotted = host.endswith(".") != other.endswith(".")
    host, other = host.rstrip("."), other.rstrip(".")
    if not host:
        return
    if host == other:
        if dotted and same_port:
            yield "dot", "with a dot at its end" if without_port(domain).endswith(".") else "without the dot"
        elif not same_port and not other_port:
            yield "no port", "without a port"
        elif not same_port:
            yield "port", f"with port {other_port}"
        return
    # app.namespace.svc.domain
    mine, theirs = host.split(".", 3), other.split(".", 3)
    if len(mine) < 4 or len(theirs) < 4 or mine[2] != "svc" or theirs[2] != "svc" or not same_port:
        return
    differing = [at for at in (0, 1, 3) if mine[at] != theirs[at]]
    if differing == [1]:
        yield "namespace", f"in namespace {theirs[1]}"
    elif differing == [3]:
        yield "cluster domain", f"with the cluster domain {theirs[3]}"
    elif differing == [0] and _similar(mine[0], theirs[0]):
        yield "app", f"app {theirs[0]}"


def _similar(one: str, other: str) -> bool:
    """Whether a name may be a slip of the pen for another."""
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) > 2 and (longer.startswith(shorter) or one.replace("-", "") == other.replace("-", ""))
