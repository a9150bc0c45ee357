"""Where the calls of an rpc go, and what the sidecar does with them there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..envoy.configuration.snapshot import Snapshot
from ..envoy.entering.arrival import ROUTER_HEADERS, arrived
from ..envoy.entering.trust import Cause
from ..envoy.forwarding.router import Effect, effect
from ..envoy.forwarding.routes import Route
from ..envoy.request import Request
from ..envoy.routing.matching import Taken, routes_of
from ..envoy.routing.origins import title_of
from ..envoy.values import Json, percentage, text
from ..finding import Finding, problem
from ..sidecar.passage import Entrance
from ..wording import percent
from .asked import Asked


@dataclass(frozen=True, slots=True)
class Followed:
    """Calls of an rpc that take the same route to clusters that treat them alike.

    Attributes:
        asked: the rpc, and what is asked for.
        entrance: where the calls enter the sidecar.
        route: that they take.
        share: which of the calls; empty if all.
        clusters: names of the clusters that they go to, with the share of each in percent.
        effect: what the sidecar does with them; if it is not known whether it obeys headers: if not.
        obeyed: what it would do if it obeyed all headers.
    """

    asked: Asked
    entrance: Entrance
    route: Route
    share: str
    clusters: Sequence[tuple[str, float]]
    effect: Effect
    obeyed: Effect

    @property
    def internal(self) -> bool:
        """Whether the sidecar obeys headers of these calls."""
        return self.entrance.trust.internal

    @property
    def unknown(self) -> bool:
        """Whether it is not known if it does, and matters."""
        return self.entrance.trust.cause is Cause.UNKNOWN and self.effect != self.obeyed

    @property
    def where(self) -> str:
        """The route, for messages."""
        return f"{title_of(self.route.message)} of virtual host {text(self.route.virtual_host, 'name')}"

    @property
    def subject(self) -> str:
        """The rpc and, if not all its calls are meant, which of them: the start of messages."""
        return f"{self.asked.name}: {self.share}: " if self.share else f"{self.asked.name}: "

    @property
    def limit(self) -> float | None:
        """Seconds after which calls end at the latest, however much is sent; None without a limit."""
        return limit_of(self.asked, self.effect)

    @property
    def silence(self) -> float:
        """Seconds without a message after which calls end; 0 if another limit always comes first."""
        return silence_of(self.asked, self.effect)

    def problem(self, id: str, seen: str) -> Finding:
        """A problem of these calls, in which what was seen begins with their subject."""
        return problem(id, f"{self.subject}{seen}", subject=self.asked.name)


def limit_of(asked: Asked, effect: Effect) -> float | None:
    """Seconds after which calls end at the latest, however much is sent; None without a limit."""
    limits = (asked.deadline, effect.timeout.seconds, effect.duration.seconds)
    return min((each for each in limits if each), default=None)


def silence_of(asked: Asked, effect: Effect) -> float:
    """Seconds without a message after which calls end; 0 if another limit always comes first."""
    limit, idle = limit_of(asked, effect), effect.idle.seconds
    return idle if limit is None or idle < limit else 0.0


def received(snapshot: Snapshot, entrance: Entrance, asked: Asked) -> Request:
    """The request of an rpc as routes see it."""
    manager, connection = entrance.manager, entrance.connection
    return arrived(manager, entrance.trust, connection, asked.request, snapshot.version)


def follow(
    snapshot: Snapshot, entrance: Entrance, virtual_host: Json, asked: Asked, seen: Request
) -> Iterator[Followed]:
    """The routes that calls may take, in the order in which they are tried; none if they match none.

    Args:
        snapshot: the sidecar's configuration.
        entrance: where calls enter it.
        virtual_host: that they match.
        asked: the rpc, and what is asked for.
        seen: its request as routes see it (`received`).
    """
    taken = list(routes_of(virtual_host, seen, snapshot.runtime))
    if entrance.trust.cause is Cause.UNKNOWN:
        seen = _external(seen)
    left: float | None = 100.0
    for each in taken:
        route = Route.of(each.message, virtual_host, entrance.manager.routes)
        share, left = _share(each, left)
        alike: dict[Effect, list[tuple[str, float]]] = {}
        for name, part in route.clusters or [("", 100.0)]:
            found = effect(entrance.manager, route, seen, snapshot.clusters.get(name))
            alike.setdefault(found, []).append((name, part))
        for found, clusters in alike.items():
            wanted = effect(entrance.manager, route, asked.request, snapshot.clusters.get(clusters[0][0]))
            whose = share if len(alike) == 1 else ", ".join(filter(None, (share, _to(clusters))))
            yield Followed(asked, entrance, route, whose, clusters if clusters[0][0] else (), found, wanted)


def _external(request: Request) -> Request:
    """The request without what the sidecar would remove if it were external."""
    headers = {name: value for name, value in request.headers.items() if name not in ROUTER_HEADERS}
    return replace(request, headers=headers)


def _to(clusters: Sequence[tuple[str, float]]) -> str:
    names = ", ".join(name for name, _ in clusters)
    return f"{percent(sum(part for _, part in clusters))}, to {names}"


def _share(taken: Taken, left: float | None) -> tuple[str, float | None]:
    """Which calls take a route, and the percentage that goes on to the next; None if it is not known."""
    if taken.certain:
        if left == 100.0:
            return "", None
        return ("all other calls" if left is None else f"{percent(left)} of calls"), None
    fraction = percentage(taken.message, "match", "runtime_fraction", "default_value")
    if left is None or fraction is None:
        return f"some calls ({taken.doubt})" if taken.doubt else "some calls", None
    part = min(fraction, 100.0) * left / 100
    return f"{percent(part)} of calls", left - part
