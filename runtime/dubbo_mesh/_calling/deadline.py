"""A call's own deadline shows as DEADLINE_EXCEEDED, whoever enforced it. The core of `calls` and `aio_calls`.

Where Envoy enforces `grpc-timeout` (Istio's routes do) it answers UNAVAILABLE "upstream request timeout", or
resets a stream that has begun, at the moment at which the client's own timer fires too. Which of the two wins
is chance; callers should see one outcome.

What a stub returns stays grpc's own object. A call with a deadline only gets another class: a subclass of its
own class whose public methods correct the status once it is known. Nothing is called when the call ends and
nothing refers to it, so that it is collected, and cancelled when it is dropped, as any call of grpc's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc

_ENVOYS_MESSAGE = "upstream request timeout"
"""The body of the router's local reply to a timeout, which gRPC takes for the status message."""

_RESET = "RST_STREAM"
"""In the message that gRPC makes of a reset stream: all that the router can do once a response has begun."""

_TOLERANCE = 0.02
"""Seconds. By rounding, Envoy's timer may fire a little before the client's."""

DETAILS = "Deadline Exceeded"
"""grpc's own status message."""


def is_own_deadline(code: object, details: str | None, deadline: float) -> bool:
    """Whether a status that is looked at now is Envoy's enforcement of the call's own deadline.

    Args:
        code: the status code that arrived.
        details: the message with it.
        deadline: of the call, by `time.monotonic()`. A timeout that fires earlier is the route's own.
    """
    if code is grpc.StatusCode.UNAVAILABLE:
        from_envoy = details == _ENVOYS_MESSAGE
    else:
        from_envoy = code is grpc.StatusCode.INTERNAL and _RESET in (details or "")
    return from_envoy and time.monotonic() >= deadline - _TOLERANCE


class Subclasses:
    """Subclasses of grpc's call classes with some methods replaced, made when they are first needed.

    Classes that are not defined in grpc's own modules have none: other people's call objects, such as
    interceptors return, are left alone.

    Args:
        modules: the modules of grpc's that define its call classes.
        methods: gives the methods to replace in a subclass of a call class; none if it is of no use.
    """

    def __init__(self, modules: frozenset[str], methods: Callable[[type[Any]], dict[str, Any]]) -> None:
        self._modules = modules
        self._methods = methods
        self._made: dict[type[Any], type[Any] | None] = {}

    def of(self, base: type[Any]) -> type[Any] | None:
        """The subclass of `base`, or None if calls of that class stay as they are."""
        try:
            return self._made[base]
        except KeyError:
            pass
        methods = self._methods(base) if base.__module__ in self._modules else None
        if not methods:
            self._made[base] = None
            return None
        # It goes by the name of its base, which is part of what a call's str() says.
        named = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
        subclass = type(base.__name__, (base,), {**named, **methods, "__reduce_ex__": _reducing(base)})
        self._made[base] = subclass
        self._made[subclass] = None
        return subclass


def _reducing(base: Any) -> Callable[..., Any]:
    """Copies and pickles are of `base`, if it can be copied and pickled: the subclass cannot be imported."""

    def reduce(self: Any, protocol: Any) -> Any:
        make, args, *more = base.__reduce_ex__(self, protocol)
        make, *args = (base if each is self.__class__ else each for each in (make, *args))
        return make, tuple(args), *more

    return reduce
