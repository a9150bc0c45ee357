"""What would happen to each rpc: a sentence, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..envoy.configuration.snapshot import Snapshot
from ..envoy.forwarding.retries import RetryLimit, retry_limit
from ..envoy.routing.matching import unknown_routes
from ..envoy.values import Json, objects
from ..finding import Finding
from ..sidecar.passage import Entrance
from ..sidecar.routing import answers_itself, no_route
from ..sidecar.upstream import Destination
from .asked import Asked
from .followed import Followed, follow, received
from .hidden import check_hidden
from .retries import check_retries
from .sentence import sentence
from .surprises import check_surprises
from .timeouts import check_timeouts


def check_rpc(
    snapshot: Snapshot, entrance: Entrance, virtual_host: Json, asked: Asked
) -> Iterator[Finding | Destination]:
    """Follows a call of an rpc through the sidecar, from the virtual host that it matches.

    Yields the clusters that it may be sent to as well, for them to be checked once for all rpcs.
    """
    unknown = unknown_routes(virtual_host)
    if unknown is not None:
        yield Finding("route", "skipped", f"{asked.name}: {unknown.why}", subject=asked.name)
        return
    seen = received(snapshot, entrance, asked)
    taken = list(follow(snapshot, entrance, virtual_host, asked, seen))
    if not taken:
        yield no_route(virtual_host, asked.name)
    yield from check_hidden(virtual_host, seen, snapshot.runtime, asked.name)
    for followed in taken:
        if followed.route.kind != "forward":
            yield answers_itself(followed.route, asked.name)
            continue
        yield from Destination.of(followed.route)
        yield from _check(snapshot, followed)


def check_any_rpc(
    snapshot: Snapshot, entrance: Entrance, virtual_host: Json, unknown: Asked
) -> Iterator[Finding]:
    """Says what would happen to calls of a target of which no rpc is known; judges nothing.

    Args:
        snapshot: the sidecar's configuration.
        entrance: where calls enter it.
        virtual_host: that they match.
        unknown: an rpc that stands for those that no route is made for.
    """
    if unknown_routes(virtual_host) is not None:
        return
    count = sum(1 for _ in objects(virtual_host, "routes"))
    request = received(snapshot, entrance, unknown)
    taken = list(follow(snapshot, entrance, virtual_host, unknown, request))
    others = count - len({id(each.route.message) for each in taken})
    for followed in taken:
        if followed.route.kind == "forward":
            share = f"{followed.share}, " if followed.share else ""
            seen = f"{unknown.name}: {share}rpcs that ask for nothing: {sentence(followed)}"
            if others:
                seen += f"; {others} other route{'s are' if others > 1 else ' is'} for certain calls"
            yield Finding("rpc", "ok", seen, subject=unknown.name)


def _check(snapshot: Snapshot, followed: Followed) -> Iterator[Finding]:
    limits: dict[str, RetryLimit] = {}
    for name, _ in followed.clusters:
        message = snapshot.clusters.get(name)
        if message is not None:
            limits[name] = retry_limit(message, followed.route.priority)
    forbids = [name for name, limit in limits.items() if limit.forbids]
    forbidden = forbids[0] if forbids and len(forbids) == len(followed.clusters) else ""
    name = followed.asked.name
    yield Finding("rpc", "ok", f"{followed.subject}{sentence(followed, forbidden)}", subject=name)
    found = [*check_timeouts(followed), *check_retries(followed, limits)]
    if followed.unknown:  # reported is what is wrong in either case
        obeyed = replace(followed, effect=followed.obeyed)
        always = {each.id for each in (*check_timeouts(obeyed), *check_retries(obeyed, limits))}
        found = [each for each in found if each.id in always]
    yield from found
    yield from check_surprises(followed)
