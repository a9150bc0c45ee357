"""A call's own deadline, enforced by Envoy, surfaces as DEADLINE_EXCEEDED. `aio/_deadline.py` is the twin.

Where Envoy enforces `grpc-timeout` (Istio's routes let it) it answers UNAVAILABLE "upstream request timeout",
or resets a stream that has begun, at the same moment that the client's own timer fires: which of the two wins
is chance. Callers see one thing.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc

_ENVOYS_WORDS = "upstream request timeout"
"""The body of the router's local reply to a timeout, which gRPC gets as the status's message."""

_RESET = "RST_STREAM"
"""In the message that gRPC makes of a reset stream: all that the router can do once a response has begun."""

_TOLERANCE = 0.02  # seconds; by rounding, Envoy's timer may fire a little before the client's

DETAILS = "Deadline Exceeded"
"""As grpc words it."""


def is_own_deadline(code: object, details: str | None, ended: float, deadline: float) -> bool:
    """Whether a call's end is Envoy's enforcement of the call's own deadline.

    Args:
        code: the status code that arrived.
        details: the message with it.
        ended: when, by `time.monotonic()`.
        deadline: of the call, by the same clock. A timeout that fires earlier is the route's own.
    """
    if ended < deadline - _TOLERANCE or not details:
        return False
    if code is grpc.StatusCode.UNAVAILABLE:
        return details == _ENVOYS_WORDS
    return code is grpc.StatusCode.INTERNAL and _RESET in details


class DeadlineExceeded(grpc.RpcError):
    """A call that ended at its deadline, whoever enforced that; a `grpc.Call`, as every call's error."""

    def __init__(self, call: Any) -> None:
        super().__init__()
        self._call = call

    def code(self) -> grpc.StatusCode:
        """DEADLINE_EXCEEDED."""
        return grpc.StatusCode.DEADLINE_EXCEEDED

    def details(self) -> str:
        """As grpc words it."""
        return DETAILS

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def __str__(self) -> str:
        return f"<{type(self).__name__}: status = {self.code()}, details = {DETAILS!r}>"


grpc.Call.register(DeadlineExceeded)


def hit_deadline(error: grpc.RpcError, deadline: float) -> bool:
    """Whether `error`, just raised by a blocking call, is Envoy's enforcement of the call's own deadline."""
    if not isinstance(error, grpc.Call):
        return False  # an interceptor's own
    return is_own_deadline(error.code(), error.details(), time.monotonic(), deadline)


def watched(call: Any, deadline: float) -> Any:
    """`call`, an iterator of responses, made to tell the truth about its end."""
    if inspect.isgenerator(call):
        return _truthful(call, deadline)  # of an interceptor, as OpenTelemetry's is
    if not isinstance(call, grpc.Future):
        return call  # what interceptors return need not be a call of grpc's
    truthful = DeadlineCall(call, deadline)
    truthful.add_done_callback(truthful.note_end)
    return truthful


def _truthful(responses: Iterable[Any], deadline: float) -> Iterator[Any]:
    try:
        yield from responses
    except grpc.RpcError as error:
        if hit_deadline(error, deadline):
            raise DeadlineExceeded(error) from error
        raise


class DeadlineCall:
    """A future or an iterator of responses, as grpc's callables return them, whose end tells the truth.

    Unless `note_end` is told of it, a call is held to have ended when it was first looked at. Being told
    costs each call more than all the rest here, and only tells whether a call that nobody looked at before
    its deadline was ended by the route's own, shorter timeout. Of streams that is worth knowing: their
    responses are read while time passes.
    """

    __slots__ = ("__weakref__", "_call", "_deadline", "_ended")

    def __init__(self, call: Any, deadline: float) -> None:
        self._call = call
        self._deadline = deadline
        self._ended: float | None = None

    def note_end(self, _: object) -> None:
        """Notes that the call has ended just now."""
        if self._ended is None:
            self._ended = time.monotonic()

    def _own_deadline(self) -> bool:
        code, details = self._call.code(), self._call.details()  # which waits for the end
        self.note_end(self._call)
        assert self._ended is not None
        return is_own_deadline(code, details, self._ended, self._deadline)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            if self._own_deadline():
                raise DeadlineExceeded(self._call) from error
            raise

    def code(self) -> Any:
        """The status code, once the call has ended."""
        return grpc.StatusCode.DEADLINE_EXCEEDED if self._own_deadline() else self._call.code()

    def details(self) -> Any:
        """The message of the status, once the call has ended."""
        return DETAILS if self._own_deadline() else self._call.details()

    def result(self, timeout: float | None = None) -> Any:
        """As grpc's future."""
        try:
            return self._call.result(timeout)
        except grpc.RpcError as error:
            if self._own_deadline():
                raise DeadlineExceeded(self._call) from error
            raise

    def exception(self, timeout: float | None = None) -> Any:
        """As grpc's future."""
        error = self._call.exception(timeout)
        return DeadlineExceeded(self._call) if error is not None and self._own_deadline() else error

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """As grpc's future."""

        def done(_: object) -> None:
            callback(self)

        self._call.add_done_callback(done)


grpc.Call.register(DeadlineCall)
grpc.Future.register(DeadlineCall)
