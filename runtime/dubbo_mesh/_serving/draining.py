"""How the responses of a draining server say so: `x-envoy-immediate-health-check-fail`.

A consumer's Envoy that checks health actively takes a host out on the first response with that header,
however the response came: no sidecar's admin endpoint is needed (Envoy docs: "Health checking", immediate
failure).

While the server is not draining, finding a handler costs one more look-up, and a unary call one more function
call and a look at a flag; streams cost nothing more.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio

from .traffic import Traffic

LEAVING = ("x-envoy-immediate-health-check-fail", "true")
"""The header, as metadata."""

_MOST_PREPARED = 1024  # handlers remembered; a proxy that answers any path must not fill the memory

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_Behavior = Callable[[Any, Any], Any]


class Marking:
    """Marks the responses of a server's handlers while the server is leaving."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._prepared: dict[str, tuple[_Handler, _Handler]] = {}

    def around(self, path: str, handler: _Handler) -> _Handler:
        """`handler`, marking its response if the server is leaving."""
        if self._traffic.leaving:
            return _marked(handler)
        prepared = self._prepared.get(path)
        if prepared is not None and prepared[0] is handler:
            return prepared[1]
        watched = self._watched(handler)
        if prepared is not None or len(self._prepared) < _MOST_PREPARED:
            self._prepared[path] = (handler, watched)
        return watched

    def _watched(self, handler: _Handler) -> _Handler:
        """`handler`, marking its response if draining begins while it runs, where that costs no stream."""
        if handler.response_streaming:
            return handler
        behavior = _behavior(handler)
        watched = _watched_coroutine if inspect.iscoroutinefunction(behavior) else _watched_function
        return _with_behavior(handler, watched(behavior, self._traffic))


class _MarkedContext:
    """A servicer's context with the header in what is sent first: the initial metadata, or the status alone.

    A status that comes before any message stays without initial metadata: Envoy retries only those.
    """

    def __init__(self, context: Any) -> None:
        self._context = context
        self._sent = False
        context.set_trailing_metadata((LEAVING,))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def set_trailing_metadata(self, trailing_metadata: Iterable[tuple[str, str | bytes]]) -> None:
        self._context.set_trailing_metadata((*trailing_metadata, LEAVING))


class _MarkedSyncContext(_MarkedContext):
    """For sync handlers, on a sync server or an async one."""

    def mark(self) -> None:
        if not self._sent:
            self._sent = True
            _mark(self._context)

    def send_initial_metadata(self, initial_metadata: Iterable[tuple[str, str | bytes]]) -> None:
        self._context.send_initial_metadata((*initial_metadata, LEAVING))
        self._sent = True

    def abort_with_status(self, status: Any) -> NoReturn:
        self.set_trailing_metadata(status.trailing_metadata or ())
        self._context.abort(status.code, status.details)
        raise AssertionError("abort returned")


class _MarkedAsyncContext(_MarkedContext):
    """For async handlers."""

    async def mark(self) -> None:
        if not self._sent:
            self._sent = True
            await _mark_async(self._context)

    async def send_initial_metadata(self, initial_metadata: Iterable[tuple[str, str | bytes]]) -> None:
        await self._context.send_initial_metadata((*initial_metadata, LEAVING))
        self._sent = True

    async def write(self, message: Any) -> None:
        await self.mark()
        await self._context.write(message)

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Iterable[Any] = ()
    ) -> NoReturn:
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        await self._context.abort(code, details)
        raise AssertionError("abort returned")

    async def abort_with_status(self, status: Any) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata or ())


grpc.ServicerContext.register(_MarkedSyncContext)
grpc.aio.ServicerContext.register(_MarkedAsyncContext)


def _mark(context: Any) -> None:
    # Refused when the handler has sent initial metadata, or the caller is gone: too late to say anything.
    with suppress(ValueError, grpc.RpcError, grpc.aio.UsageError):
        context.send_initial_metadata((LEAVING,))


async def _mark_async(context: Any) -> None:
    with suppress(grpc.aio.UsageError):
        await context.send_initial_metadata((LEAVING,))


def _marked(handler: _Handler) -> _Handler:
    """`handler`, marking its response in any case."""
    behavior = _behavior(handler)
    if getattr(behavior, "experimental_non_blocking", False):
        return handler  # takes a callback instead of answering: Watch of the health service
    if inspect.isasyncgenfunction(behavior):
        return _with_behavior(handler, _marked_async_generator(behavior))
    if inspect.iscoroutinefunction(behavior):
        if handler.response_streaming:
            return _with_behavior(handler, _marked_writer(behavior))
        return _with_behavior(handler, _marked_coroutine(behavior))
    if handler.response_streaming:
        return _with_behavior(handler, _marked_generator(behavior))
    return _with_behavior(handler, _marked_function(behavior))


def _marked_function(behavior: _Behavior) -> _Behavior:
    @functools.wraps(behavior)
    def respond(request: Any, context: Any) -> Any:
        marked = _MarkedSyncContext(context)
        response = behavior(request, marked)
        marked.mark()
        return response

    return respond


def _marked_generator(behavior: _Behavior) -> _Behavior:
    @functools.wraps(behavior)
    def respond(request: Any, context: Any) -> Iterator[Any]:
        marked = _MarkedSyncContext(context)
        for response in behavior(request, marked):
            marked.mark()
            yield response

    return respond


def _marked_coroutine(behavior: _Behavior) -> _Behavior:
    @functools.wraps(behavior)
    async def respond(request: Any, context: Any) -> Any:
        marked = _MarkedAsyncContext(context)
        response = await behavior(request, marked)
        await marked.mark()
        return response

    return respond


def _marked_writer(behavior: _Behavior) -> _Behavior:
    @functools.wraps(behavior)
    async def respond(request: Any, context: Any) -> None:
        await behavior(request, _MarkedAsyncContext(context))

    return respond


def _marked_async_generator(behavior: _Behavior) -> _Behavior:
    @functools.wraps(behavior)
    async def respond(request: Any, context: Any) -> AsyncIterator[Any]:
        marked = _MarkedAsyncContext(context)
        async for response in behavior(request, marked):
            await marked.mark()
            yield response

    return respond


def _watched_function(behavior: _Behavior, traffic: Traffic) -> _Behavior:
    @functools.wraps(behavior)
    def respond(request: Any, context: Any) -> Any:
        response = behavior(request, context)
        if traffic.leaving:
            _mark(context)
        return response

    return respond


def _watched_coroutine(behavior: _Behavior, traffic: Traffic) -> _Behavior:
    @functools.wraps(behavior)
    async def respond(request: Any, context: Any) -> Any:
        response = await behavior(request, context)
        if traffic.leaving:
            await _mark_async(context)
        return response

    return respond


def _behavior(handler: _Handler) -> _Behavior:
    behavior: _Behavior | None = getattr(
        handler, _SHAPES[handler.request_streaming, handler.response_streaming]
    )
    if behavior is None:
        raise TypeError(f"{handler!r} has no behavior for its own shape")
    return behavior


def _with_behavior(handler: _Handler, behavior: _Behavior) -> _Handler:
    make = _MAKERS[handler.request_streaming, handler.response_streaming]
    return make(behavior, handler.request_deserializer, handler.response_serializer)


_SHAPES: dict[tuple[bool, bool], str] = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}
_MAKERS: dict[tuple[bool, bool], Callable[..., _Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
