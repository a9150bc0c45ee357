"""Whose answer a call got, and what the texts mean that Envoys answer with."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import grpc

from .attempts import Attempt

Whose: TypeAlias = Literal["sidecar", "other envoy", "provider", "grpc"]
"""Who has decided on the status: the first Envoy on the way, which is the sidecar if there is one; another
Envoy behind it, such as the provider's; the provider; or grpc in this process, for want of an answer."""

_SERVICE_TIME = "x-envoy-upstream-service-time"


class Meaning(NamedTuple):
    """What a text means that Envoys answer with by themselves.

    Attributes:
        text: the status's text in lower case; of those that tell of a connection, a part.
        meaning: what has happened.
        ids: of the findings that tell why, or what to do.
    """

    text: str
    meaning: str
    ids: tuple[str, ...] = ()


MEANINGS: tuple[Meaning, ...] = (
    Meaning("no healthy upstream", "no host gets calls", ("DM210", "DM212", "DM213", "DM214", "DM216")),
    Meaning(
        "upstream request timeout", "the timeout of its route is over", ("DM306", "DM308", "DM310", "DM320")
    ),
    Meaning("downstream duration timeout", "its max_stream_duration is over", ("DM314",)),
    Meaning("stream timeout", "nothing was sent for long", ("DM312",)),
    Meaning("request timeout", "its request_timeout is over", ("DM315",)),
    Meaning("reset reason: overflow", "a circuit breaker is full", ("DM224",)),
    Meaning(
        "reset reason: protocol error", "the provider does not speak its version of HTTP", ("DM211", "DM249")
    ),
    Meaning("connection failure", "it cannot connect to the provider", ("DM241", "DM248")),
    Meaning("connection timeout", "it cannot connect to the provider", ("DM241", "DM248")),
    Meaning(
        "reset reason: connection termination", "the provider has closed the connection", ("DM211", "DM249")
    ),
    Meaning("disconnect/reset before headers", "the provider has not answered"),
    Meaning("rbac: access denied", "an authorization policy forbids it", ("DM455",)),
    Meaning("jwt is missing", "it asks for a token (--header authorization=…)", ("DM455",)),
    Meaning("jwt is expired", "it asks for another token (--header authorization=…)", ("DM455",)),
    Meaning("jwt verification fails", "it asks for another token (--header authorization=…)", ("DM455",)),
    Meaning("fault filter abort", "faults are injected", ("DM330",)),
    Meaning("local_rate_limited", "the rate of calls is limited", ("DM331",)),
    Meaning("envoy overloaded", "it has too much to do"),
)
"""From the most to the least particular. The texts are those of Envoy 1.40."""

_CONNECTION = "upstream connect error or disconnect/reset before headers"

_WITHOUT_TEXT = {
    grpc.StatusCode.UNIMPLEMENTED: Meaning("", "it has no route for the call", ("DM206", "DM207")),
    grpc.StatusCode.UNAVAILABLE: Meaning(
        "", "its route names no cluster that exists, or answers calls by itself", ("DM208", "DM209")
    ),
}

_OF_GRPC = (
    "failed to connect",
    "connection reset",
    "socket closed",
    "broken pipe",
    "endpoint closing",
    "errors resolving",
    "dns resolution failed",
    "rst_stream",
    "goaway",
    "stream removed",
    "http2 header with status",
    "empty address list",
)
"""What grpc says itself of connections that fail."""


def whose(attempt: Attempt) -> Whose:
    """Who has decided on the status of a call.

    An Envoy adds how long the provider took, unless it answers by itself. What the next Envoy answers by
    itself is the provider's answer to the first.
    """
    if _SERVICE_TIME in attempt.headers:
        return "other envoy" if _by_text(attempt) is not None else "provider"
    details = attempt.details.lower()
    if attempt.code is grpc.StatusCode.DEADLINE_EXCEEDED and not attempt.headers:
        return "grpc"
    if any(words in details for words in _OF_GRPC):
        return "grpc"
    return "sidecar" if "envoy" in attempt.headers.get("server", "") else "provider"


def meaning_of(attempt: Attempt) -> Meaning | None:
    """What it means that an Envoy has answered by itself; None if that is not known."""
    if attempt.details:
        return _by_text(attempt)
    if "location" in attempt.headers:
        return Meaning("", "its route redirects calls", ("DM208",))
    return _WITHOUT_TEXT.get(attempt.code)


def _by_text(attempt: Attempt) -> Meaning | None:
    details = attempt.details.lower()
    connection = details.startswith(_CONNECTION)
    for meaning in MEANINGS:
        if meaning.text == details or (connection and meaning.text in details):
            return meaning
    return None


def measured(attempt: Attempt) -> str:
    """What Envoy has measured itself, and how often it has tried; empty if it does not say so."""
    said: list[str] = []
    service_time = attempt.headers.get(_SERVICE_TIME, "")
    if service_time.isdecimal() and len(service_time) < 10:
        said.append(f"the provider took {service_time} ms of the last one, as Envoy counts")
    tries = attempt.headers.get("x-envoy-attempt-count", "")
    if tries.isdecimal() and len(tries) < 10 and int(tries) > 1:
        said.append(f"Envoy tried {tries} times")
    return "; ".join(said)
