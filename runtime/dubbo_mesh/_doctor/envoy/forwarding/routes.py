"""What a route does with a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..values import Json, flag, has, mapping, number, objects, seconds, text
from .mutations import Mutations

Kind = Literal["forward", "redirect", "answer", "other"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The retry policy of a route, of its virtual host or of its cluster.

    Attributes:
        on: its conditions (`retry_on`), as they are written.
        retries: attempts after the first. Envoy's default is one.
        per_try_timeout, per_try_idle_timeout: seconds; 0 means none.
        request_headers: `HeaderMatcher` messages; if there are any, only requests that match one are retried.
    """

    on: tuple[str, ...]
    retries: int
    per_try_timeout: float
    per_try_idle_timeout: float
    request_headers: Sequence[Json]

    @classmethod
    def of(cls, message: Json) -> RetryPolicy:
        """Reads a `RetryPolicy` message."""
        retries = number(message, "num_retries")
        return cls(
            on=split(text(message, "retry_on")),
            retries=1 if retries is None else max(retries, 0),
            per_try_timeout=seconds(message, "per_try_timeout") or 0.0,
            per_try_idle_timeout=seconds(message, "per_try_idle_timeout") or 0.0,
            request_headers=tuple(objects(message, "retriable_request_headers")),
        )


@dataclass(frozen=True, slots=True)
class Route:
    """A route.

    Attributes:
        name: its name; empty if it has none.
        kind: what it does: sends requests to a cluster, redirects them, answers them itself, or else.
        clusters: names of the clusters that requests go to, with the share of each in percent. Empty if a
            header or a plugin says.
        timeout: seconds for a request, retries included; 0 means none. None means unset: Envoy's default is
            15 s. It does not count beside a `max_stream_duration`.
        max_grpc_timeout: seconds; if it is set, the request's `grpc-timeout` takes the place of `timeout`, up
            to this; 0 means without a limit. None means unset.
        grpc_timeout_offset: seconds by which that is shorter than `grpc-timeout`.
        has_max_stream_duration: whether there is a `max_stream_duration`, which may be empty.
        max_stream_duration: seconds that a request may last in all; 0 means for ever, whatever the connection
            manager has. None means unset.
        grpc_timeout_header_max: seconds; if it is set, `grpc-timeout` takes the place of
            `max_stream_duration`, up to this; 0 means without a limit. None means unset.
        grpc_timeout_header_offset: seconds by which that is shorter than `grpc-timeout`.
        idle_timeout: seconds that a stream may be silent; 0 means for ever; None means that the connection
            manager's value counts.
        retry: its retry policy, or else that of its virtual host; None if there is none.
        hedges: whether a slow attempt continues beside the next one.
        buffer_limit: the bytes of a request that can be retried; None if that is not set here.
        priority: `DEFAULT` or `HIGH`.
        mutations: what it, its virtual host and the route configuration do to the headers of requests, in the
            order in which Envoy does it.
        message: the whole `Route` message.
        virtual_host: the whole `VirtualHost` message.
    """

    name: str
    kind: Kind
    clusters: Sequence[tuple[str, float]]
    timeout: float | None
    max_grpc_timeout: float | None
    grpc_timeout_offset: float
    has_max_stream_duration: bool
    max_stream_duration: float | None
    grpc_timeout_header_max: float | None
    grpc_timeout_header_offset: float
    idle_timeout: float | None
    retry: RetryPolicy | None
    hedges: bool
    buffer_limit: int | None
    priority: str
    mutations: Sequence[Mutations]
    message: Json
    virtual_host: Json

    @classmethod
    def of(cls, message: Json, virtual_host: Json, routes: Json | None = None) -> Route:
        """Reads a `Route` message of a `VirtualHost`.

        Args:
            message: the `Route` message.
            virtual_host: the `VirtualHost` message.
            routes: the `RouteConfiguration` message; None if it is not known.
        """
        action = mapping(message, "route")
        retrying = action if has(action, "retry_policy") else virtual_host
        hedging = action if has(action, "hedge_policy") else virtual_host
        return cls(
            name=text(message, "name"),
            kind=_kind(message),
            clusters=_clusters(action),
            timeout=seconds(action, "timeout"),
            max_grpc_timeout=seconds(action, "max_grpc_timeout"),
            grpc_timeout_offset=seconds(action, "grpc_timeout_offset") or 0.0,
            has_max_stream_duration=has(action, "max_stream_duration"),
            max_stream_duration=seconds(action, "max_stream_duration", "max_stream_duration"),
            grpc_timeout_header_max=seconds(action, "max_stream_duration", "grpc_timeout_header_max"),
            grpc_timeout_header_offset=seconds(action, "max_stream_duration", "grpc_timeout_header_offset")
            or 0.0,
            idle_timeout=seconds(action, "idle_timeout"),
            retry=RetryPolicy.of(mapping(retrying, "retry_policy"))
            if has(retrying, "retry_policy")
            else None,
            hedges=flag(hedging, "hedge_policy", "hedge_on_per_try_timeout") or False,
            buffer_limit=_buffer_limit(message, virtual_host),
            priority=text(action, "priority") or "DEFAULT",
            mutations=_mutations(message, virtual_host, routes or {}),
            message=message,
            virtual_host=virtual_host,
        )


def split(conditions: str) -> tuple[str, ...]:
    """The names in a list that is separated by commas."""
    return tuple(each.strip() for each in conditions.split(",") if each.strip())


NO_RETRIES = RetryPolicy.of({})
"""What a route without a policy has: no conditions, so that only a request's own count."""


def _kind(message: Json) -> Kind:
    if has(message, "route"):
        return "forward"
    if has(message, "redirect"):
        return "redirect"
    return "answer" if has(message, "direct_response") else "other"


def _clusters(action: Json) -> Sequence[tuple[str, float]]:
    weighted = [
        (text(each, "name"), number(each, "weight") or 0)
        for each in objects(action, "weighted_clusters", "clusters")
    ]
    total = sum(weight for _, weight in weighted)
    if total > 0:
        return [(name, weight * 100 / total) for name, weight in weighted if weight]
    name = text(action, "cluster")
    return [(name, 100.0)] if name else []


def _buffer_limit(message: Json, virtual_host: Json) -> int | None:
    for owner in (message, virtual_host):
        for field in ("request_body_buffer_limit", "per_request_buffer_limit_bytes"):
            given = number(owner, field)
            if given is not None:
                return given
    return None


def _mutations(message: Json, virtual_host: Json, routes: Json) -> Sequence[Mutations]:
    """In Envoy's order: the most specific first, unless the route configuration asks for the opposite."""
    owners = (message, virtual_host, routes)
    found = [Mutations.of(owner) for owner in owners]
    if flag(routes, "most_specific_header_mutations_wins"):
        found.reverse()
    return [each for each in found if each.add or each.remove]
