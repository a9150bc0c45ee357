"""What a route does with a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .values import Json, has, mapping, number, objects, seconds, text

Kind = Literal["forward", "redirect", "answer", "other"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The retry policy of a route or a virtual host.

    Attributes:
        on: its conditions (`retry_on`).
        retries: attempts after the first.
        per_try_timeout: seconds; None means unset.
        status_codes: HTTP codes for `retriable-status-codes`.
    """

    on: tuple[str, ...]
    retries: int
    per_try_timeout: float | None
    status_codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A route.

    Attributes:
        name: its name; empty if it has none.
        kind: what it does: sends requests to a cluster, redirects them, answers them itself, or else.
        clusters: names of the clusters that requests go to, with the share of each in percent. Empty if a
            header or a plugin says.
        timeout: seconds for a request, retries included; 0 means none. Envoy's default is 15 s.
        max_grpc_timeout: seconds; if it is set, the request's `grpc-timeout` takes the place of `timeout`, up
            to this; 0 means without a limit. None means unset.
        max_stream_duration, grpc_timeout_header_max: seconds, of `max_stream_duration`. None means unset.
        idle_timeout: seconds that a stream may be silent; 0 means for ever; None means that the connection
            manager's value counts.
        retry: its retry policy, or that of its virtual host; None if there is none.
        priority: `DEFAULT` or `HIGH`.
        message: the whole `Route` message.
    """

    name: str
    kind: Kind
    clusters: Sequence[tuple[str, float]]
    timeout: float
    max_grpc_timeout: float | None
    max_stream_duration: float | None
    grpc_timeout_header_max: float | None
    idle_timeout: float | None
    retry: RetryPolicy | None
    priority: str
    message: Json

    @classmethod
    def of(cls, message: Json, virtual_host: Json) -> Route:
        """Reads a `Route` message of a `VirtualHost`."""
        action = mapping(message, "route")
        timeout = seconds(action, "timeout")
        owner = action if has(action, "retry_policy") else virtual_host
        policy = mapping(owner, "retry_policy")
        return cls(
            name=text(message, "name"),
            kind=_kind(message),
            clusters=_clusters(action),
            timeout=15.0 if timeout is None else timeout,
            max_grpc_timeout=seconds(action, "max_grpc_timeout"),
            max_stream_duration=seconds(action, "max_stream_duration", "max_stream_duration"),
            grpc_timeout_header_max=seconds(action, "max_stream_duration", "grpc_timeout_header_max"),
            idle_timeout=seconds(action, "idle_timeout"),
            retry=_retry_policy(policy) if has(owner, "retry_policy") else None,
            priority=text(action, "priority") or "DEFAULT",
            message=message,
        )


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
    if total:
        return [(name, weight * 100 / total) for name, weight in weighted if weight]
    name = text(action, "cluster")
    return [(name, 100.0)] if name else []


def _retry_policy(policy: Json) -> RetryPolicy:
    retries = number(policy, "num_retries")
    return RetryPolicy(
        on=tuple(each.strip() for each in text(policy, "retry_on").split(",") if each.strip()),
        retries=1 if retries is None else retries,
        per_try_timeout=seconds(policy, "per_try_timeout"),
        status_codes=(),
    )
