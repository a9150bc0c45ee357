"""The outermost layer of a server on asyncio. `outermost` is the twin, and handles sync handlers here too.

The context that grpc.aio passes to handlers takes no attributes and cannot be replaced while a call runs:
while the server drains, handlers get a stand-in that marks what they send. A handler that was running before,
and then sends initial metadata itself or aborts, sends them unmarked.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio

from .._context.request import Serving, serving
from .aio_contexts import LeavingContext, mark_response, mark_status
from .answers import Refusal, answer_to, is_failure, is_ok, not_serving
from .contexts import RecordingContext
from .foreign import refusing
from .layer import Behavior, Handler, Layer, behavior_of, handler_of
from .outermost import stream as sync_stream
from .outermost import unary as sync_unary
from .traffic import Traffic

Serializer = Callable[[Any], bytes]


class Outermost(Layer):
    """The layer of a server on asyncio."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__(traffic)
        self._observed = _is_patched()

    def refusing(self, refusal: Refusal) -> Handler:
        async def refuse(_requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            if self.traffic.leaving:
                mark_status(context)
            await context.abort(refusal.code, refusal.details)
            yield  # never reached; it makes this a generator

        # A handler of streams does not wait for a request, whatever the rpc's shape.
        return handler_of(refuse, request_streaming=True, response_streaming=True)

    def interceptor(
        self, find: Callable[[grpc.HandlerCallDetails], Handler | None]
    ) -> grpc.aio.ServerInterceptor:
        return _Interceptor(self, find)

    def _wrapped(self, handler: Handler, *, exempt: bool) -> Handler:
        behavior, traffic = behavior_of(handler), self.traffic
        # The kinds of functions that grpc.aio distinguishes. Where the layer returns the responses it has
        # serialized them: if grpc did, callers would see the text of a serializer's exception.
        serializer = handler.response_serializer
        writes = False
        if handler.response_streaming and inspect.iscoroutinefunction(behavior):
            wrapped, writes = _writer(behavior, traffic, exempt=exempt), True
        elif handler.response_streaming and inspect.isasyncgenfunction(behavior) and not self._observed:
            wrapped, writes = _stream(behavior, traffic, exempt=exempt), True
        elif handler.response_streaming and inspect.isasyncgenfunction(behavior):
            wrapped, writes = _generator(behavior, traffic, exempt=exempt), True
        elif handler.response_streaming:
            wrapped = _aborted_stream(
                sync_stream(behavior, traffic, self._recording, serializer, exempt=exempt)
            )
        elif inspect.iscoroutinefunction(behavior) or inspect.isasyncgenfunction(behavior):
            if self._observed:
                serializer, writes = None, True
            wrapped = _unary(behavior, traffic, serializer, exempt=exempt, observed=self._observed)
        else:
            wrapped = _aborted_unary(
                sync_unary(behavior, traffic, self._recording, serializer, exempt=exempt)
            )
        deserializer = handler.request_deserializer
        return handler_of(
            wrapped,
            request_streaming=handler.request_streaming,
            response_streaming=handler.response_streaming,
            # A stream's requests are deserialized where the handler reads them.
            request_deserializer=deserializer and refusing(deserializer, raising=handler.request_streaming),
            response_serializer=handler.response_serializer if writes else None,
        )

    def _recording(self, context: Any) -> RecordingContext:
        return RecordingContext(context, self.traffic)


class _Interceptor(grpc.aio.ServerInterceptor):
    """The first of a server's interceptors: what the others return or raise passes here."""

    def __init__(self, layer: Outermost, find: Callable[[grpc.HandlerCallDetails], Handler | None]) -> None:
        self._layer = layer
        self._find = find

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        layer = self._layer
        exempt = layer.arrives(handler_call_details.method)
        try:
            if exempt:
                return self._find(handler_call_details)
            return layer.around(handler_call_details.method, await continuation(handler_call_details))
        except BaseException as error:
            if _is_own_cancellation(error):
                raise
            return layer.failed(error)


def _is_patched() -> bool:
    """Whether somebody has put another function in the place of `grpc.aio.server`.

    OpenTelemetry, Sentry and others do, to add an interceptor of theirs to all servers. It lies outside of
    this layer, which then has to look to it as a servicer's own handlers would.
    """
    try:
        return grpc.aio.server is not importlib.import_module("grpc.aio._server").server
    except (ImportError, AttributeError):  # grpc has changed: look like handlers, which is always right
        return True


def _unary(
    behavior: Behavior, traffic: Traffic, serializer: Serializer | None, *, exempt: bool, observed: bool
) -> Behavior:
    """Wraps a coroutine function that returns one response."""

    async def respond(request: Any, context: Any) -> Any:
        mark = Serving(context)
        serving.set(mark)  # the task is this call's own: there is nothing to reset
        try:
            if traffic.held or traffic.leaving:
                context = await _enter(traffic, context, exempt=exempt)
            if request.__class__ is Refusal:
                raise request
            response = await behavior(request, context)
            if serializer is not None:
                response = serializer(response) if is_ok(context.code()) else b""
            if traffic.leaving:
                await mark_response(context)
        except BaseException as error:
            await _end(traffic, context, error, observed=observed)
            raise
        finally:
            mark.end()
        return response

    return respond


def _stream(behavior: Behavior, traffic: Traffic, *, exempt: bool) -> Behavior:
    """Wraps an async generator function in a coroutine function that writes the responses."""

    async def respond(request: Any, context: Any) -> None:
        mark = Serving(context)
        serving.set(mark)
        silent = True
        try:
            if traffic.held or traffic.leaving:
                context = await _enter(traffic, context, exempt=exempt)
            if request.__class__ is Refusal:
                raise request
            responses = behavior(request, context)
            try:
                async for response in responses:
                    if silent:
                        silent = False
                        if traffic.leaving:
                            await mark_response(context)
                    await context.write(response)
            finally:
                await responses.aclose()
            if silent and traffic.leaving:
                mark_status(context)
        except BaseException as error:
            await _end(traffic, context, error)
            raise
        finally:
            mark.end()

    return respond


def _generator(behavior: Behavior, traffic: Traffic, *, exempt: bool) -> Behavior:
    """Wraps an async generator function in another: slower than `_stream`, for interceptors outside."""

    async def respond(request: Any, context: Any) -> AsyncIterator[Any]:
        mark = Serving(context)
        serving.set(mark)
        silent = True
        try:
            if traffic.held or traffic.leaving:
                context = await _enter(traffic, context, exempt=exempt)
            if request.__class__ is Refusal:
                raise request
            responses = behavior(request, context)
            try:
                async for response in responses:
                    if silent:
                        silent = False
                        if traffic.leaving:
                            await mark_response(context)
                    yield response
            finally:
                await responses.aclose()
            if silent and traffic.leaving:
                mark_status(context)
        except BaseException as error:
            await _end(traffic, context, error, observed=True)
            raise
        finally:
            mark.end()

    return respond


def _writer(behavior: Behavior, traffic: Traffic, *, exempt: bool) -> Behavior:
    """Wraps a coroutine function that writes its responses to the context."""

    async def respond(request: Any, context: Any) -> None:
        mark = Serving(context)
        serving.set(mark)
        try:
            if traffic.held or traffic.leaving:
                context = await _enter(traffic, context, exempt=exempt)
            if request.__class__ is Refusal:
                raise request
            await behavior(request, context)
            if traffic.leaving:
                mark_status(context)
        except BaseException as error:
            await _end(traffic, context, error)
            raise
        finally:
            mark.end()

    return respond


# What abort() raises in a sync handler has done its work when the handler has ended. grpc.aio then raises an
# exception of its own and accepts no other; older versions of grpcio raise nothing in the handler.


def _aborted_unary(behavior: Behavior) -> Behavior:
    def respond(request: Any, context: Any) -> Any:
        try:
            return behavior(request, context)
        except grpc.aio.AbortError:
            return b""

    return respond


def _aborted_stream(behavior: Behavior) -> Behavior:
    def respond(request: Any, context: Any) -> Iterator[Any]:
        with suppress(grpc.aio.AbortError):
            yield from behavior(request, context)

    return respond


async def _enter(traffic: Traffic, context: Any, *, exempt: bool) -> Any:
    """Waits until the server serves; returns the context for the handler.

    Raises:
        Refusal: the server failed to start.
    """
    if traffic.held and not exempt:
        loop = asyncio.get_running_loop()
        released = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(released.set)

        traffic.when_released(wake)
        await released.wait()
        if traffic.refused:
            raise not_serving()
    return LeavingContext(context) if traffic.leaving else context


async def _end(traffic: Traffic, context: Any, error: BaseException, *, observed: bool = False) -> None:
    """Answers a call whose handler ended by `error`, which the caller has to raise after that.

    Args:
        traffic: of the server.
        context: of the call.
        error: what the handler raised.
        observed: whether interceptors outside of this layer are to see `error` itself.

    Raises:
        AbortError: in place of an `error` that is not to go any further; grpc logs nothing for it.
    """
    if isinstance(error, (GeneratorExit, grpc.aio.AbortError, grpc.aio.InternalError)):
        return  # the caller was answered, or is gone
    if _is_own_cancellation(error):
        return
    if context.done():  # answered by abort(), of which the handler has replaced the exception
        if isinstance(error, Exception):
            return
        raise RuntimeError("a handler ended after abort()") from error
    if traffic.leaving:
        mark_status(context)
    code, details = answer_to(error, context.code(), context.details() or None)
    if observed and is_failure(error):
        with suppress(grpc.aio.AbortError):
            await context.abort(code, details)
        return
    await context.abort(code, details)


def _is_own_cancellation(error: BaseException) -> bool:
    """Whether the call itself is cancelled, rather than something that its handler has awaited."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
