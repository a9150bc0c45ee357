"""What would happen to each rpc: a sentence, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..envoy.matching import unknown_routes
from ..envoy.retries import RetryLimit, retry_limit
from ..envoy.snapshot import Snapshot
from ..envoy.values import Json
from ..finding import Finding
from ..sidecar.passage import Entrance
from ..sidecar.routing import answers_itself, no_route
from ..sidecar.upstream import Destination
from .asked import Asked
from .followed import Followed, follow
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
    taken = list(follow(snapshot, entrance, virtual_host, asked))
    if not taken:
        yield no_route(virtual_host, asked.name)
    for followed in taken:
        if followed.route.kind != "forward":
            yield answers_itself(followed.route, asked.name)
            continue
        yield from Destination.of(followed.route)
        yield from _check(snapshot, followed)


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
