"""Makes calls on trial, and measures how long they take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from ..._addressing.dialing import Way
from ..._addressing.environment import Environment
from ..._calling.headers import Headers
from ..._calling.plan import CallPlan
from ..budget import Budget
from ..wording import measured_time
from .trial import Trial

_MOST_CALLS = 5
_ENOUGH = 1.0
"""Seconds that calls have taken after which no further one is made."""

_LONGEST = 5.0
"""Seconds that a call gets whose stub sets no deadline."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a call ended.

    Attributes:
        code: its status. A stream of responses is not waited for: OK stands for its first one.
        details: the status's text.
        seconds: how long it took.
        timeout: how long it might have taken.
        headers: the response's initial and trailing metadata, by their names.
        got: whether a response came, or the stream of them ended well.
        first: whether it is the first of a stream, which was not waited for any longer.
    """

    code: grpc.StatusCode
    details: str
    seconds: float
    timeout: float
    headers: dict[str, str] = field(default_factory=dict[str, str])
    got: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class Attempts:
    """Calls of one rpc on one channel, up to the first that failed.

    Attributes:
        made: the calls, in order.
    """

    made: Sequence[Attempt]

    @property
    def last(self) -> Attempt:
        """The last call, which is the one that failed if one did."""
        return self.made[-1]

    def times(self) -> str:
        """How long the calls took. The first one also waits for the connection."""
        if len(self.made) == 1:
            return f"{measured_time(self.made[0].seconds)} (one call, connecting included)"
        first = measured_time(self.made[0].seconds)
        rest = [attempt.seconds for attempt in self.made[1:]]
        median = measured_time(statistics.median(rest))
        return f"{median} (median of {len(rest)}; {first} for the first, which connects)"


def attempts(
    channel: grpc.Channel,
    trial: Trial,
    way: Way,
    environment: Environment,
    headers: Sequence[tuple[str, str]],
    budget: Budget,
) -> Attempts:
    """Calls an rpc as a stub does, several times if it is idempotent.

    The request is an empty message. A stream of requests has none, and is ended at once; of a stream of
    responses the first is waited for, and then the call is cancelled.

    Args:
        channel: to the provider, or to the sidecar.
        trial: the rpc.
        way: how the channel was dialled, which decides on the headers.
        environment: of this process.
        headers: further ones.
        budget: the time that is left.
    """
    plan = CallPlan(trial.method, trial.method.envoy, Headers.of(trial.service, environment, way))
    own = [(name, value.encode() if name.endswith("-bin") else value) for name, value in headers]
    deadline, metadata = plan.resolve(None, own, None)
    longest = _LONGEST if deadline is None else deadline
    end = time.monotonic() + budget.left()
    made = [_attempt(channel, trial, budget.left(longest), metadata)]
    while trial.repeatable and made[-1].got and len(made) < _MOST_CALLS:
        left = end - time.monotonic()
        if left <= 0 or sum(attempt.seconds for attempt in made) > _ENOUGH:
            break
        made.append(_attempt(channel, trial, min(left, longest), metadata))
    return Attempts(made)


def _attempt(channel: grpc.Channel, trial: Trial, timeout: float, metadata: Any) -> Attempt:
    begun = time.perf_counter()
    call = _begin(channel, trial, timeout, metadata)
    if trial.method.server_streaming:
        try:
            first = next(call, None)
        except grpc.RpcError:
            first = None
        if first is not None:
            seconds = time.perf_counter() - begun
            headers = _named(call.initial_metadata())
            call.cancel()
            return Attempt(grpc.StatusCode.OK, "", seconds, timeout, headers, got=True, first=True)
    code: grpc.StatusCode = call.code()  # waits for the end
    seconds = time.perf_counter() - begun
    headers = _named(call.initial_metadata()) | _named(call.trailing_metadata())
    got = code is grpc.StatusCode.OK
    return Attempt(code, str(call.details() or ""), seconds, timeout, headers, got=got)


def _begin(channel: Any, trial: Trial, timeout: float, metadata: Any) -> Any:
    """Makes a call with an empty request; messages are bytes, so that what comes need not be understood."""
    path, streams = trial.method.path, (trial.method.client_streaming, trial.method.server_streaming)
    match streams:
        case (True, True):
            return channel.stream_stream(path)(iter(()), timeout, metadata)
        case (False, True):
            return channel.unary_stream(path)(b"", timeout, metadata)
        case (True, False):
            return channel.stream_unary(path).future(iter(()), timeout, metadata)
        case _:
            return channel.unary_unary(path).future(b"", timeout, metadata)


def _named(metadata: Any) -> dict[str, str]:
    return {key: value for key, value in metadata or () if isinstance(value, str)}
