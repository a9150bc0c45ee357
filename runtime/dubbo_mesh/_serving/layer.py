"""The outermost layer around a server's handlers: what it does on servers of either kind.

It lies outside of all interceptors. It makes `current_request()` work, holds calls while the server starts,
marks responses while it drains, and answers exceptions that nothing has caught.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

from .answers import Refusal, answer_to, method_not_found
from .traffic import Traffic

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behavior: TypeAlias = Callable[..., Any]

_MOST_PREPARED = 1024  # a proxy that answers any path must not fill the memory

_EXEMPT = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
)


def is_exempt(path: str) -> bool:
    """Whether calls of `path` are answered at all times, and without users' interceptors.

    Health checks and reflection: whoever asks whether a server lives must not be kept waiting, or stopped.
    """
    return path.startswith(_EXEMPT)


class Layer(ABC):
    """The outermost layer of one server; a twin for each kind of server knows how to call handlers."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self._prepared: dict[str, tuple[Handler, Handler]] = {}

    def around(self, path: str, handler: Handler | None, *, variant: str = "") -> Handler | None:
        """`handler` in this layer, for calls of `path`; None if grpc is to say that there is none.

        Args:
            path: of the rpc.
            handler: of the rpc; None for an unknown one.
            variant: tells handlers apart that take turns in answering one path.
        """
        if handler is None:
            # grpc's own answer cannot be marked.
            return self.refusing(method_not_found()) if self.traffic.leaving else None
        key = path + variant
        prepared = self._prepared.get(key)
        if prepared is not None and prepared[0] is handler:
            return prepared[1]
        wrapped = self._wrapped(handler, exempt=is_exempt(path))
        if prepared is not None or len(self._prepared) < _MOST_PREPARED:
            self._prepared[key] = (handler, wrapped)
        return wrapped

    def arrives(self, path: str) -> bool:
        """Notes that a call of `path` has come; returns whether `path` is exempt."""
        if is_exempt(path):
            return True
        if self.traffic.leaving:
            self.traffic.note_call()
        return False

    def failed(self, error: BaseException) -> Handler:
        """A handler that answers for the interceptor or generic handler that raised `error`."""
        return self.refusing(Refusal(*answer_to(error)))

    @abstractmethod
    def refusing(self, refusal: Refusal) -> Handler:
        """A handler that ends calls of any shape by `refusal`."""

    @abstractmethod
    def interceptor(self, find: Callable[[grpc.HandlerCallDetails], Handler | None]) -> Any:
        """The layer as the first of a server's interceptors.

        Args:
            find: finds the handlers of exempt paths, in this layer.
        """

    @abstractmethod
    def _wrapped(self, handler: Handler, *, exempt: bool) -> Handler:
        """`handler` in this layer."""


def behavior_of(handler: Handler) -> Behavior:
    """The function that handles calls.

    Raises:
        TypeError: an interceptor or generic handler has made a handler without one.
    """
    behavior: Behavior | None = getattr(
        handler, _SHAPES[bool(handler.request_streaming), bool(handler.response_streaming)]
    )
    if behavior is None:
        raise TypeError(f"{handler!r} has no function for its own shape")
    return behavior


def handler_of(
    behavior: Behavior,
    *,
    request_streaming: bool,
    response_streaming: bool,
    request_deserializer: Callable[[bytes], Any] | None = None,
    response_serializer: Callable[[Any], bytes] | None = None,
) -> Handler:
    """A handler of the given shape."""
    make = _MAKERS[request_streaming, response_streaming]
    return make(behavior, request_deserializer, response_serializer)


_SHAPES: dict[tuple[bool, bool], str] = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}
_MAKERS: dict[tuple[bool, bool], Callable[..., Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
