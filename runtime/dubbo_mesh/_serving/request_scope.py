"""Handlers on grpc's own servers: wrapped so that `current_request()` works in them, and for nothing else.

A wrapper keeps what interceptors may look for: the name, `__self__`, `__wrapped__`, and attributes that
decorators have put on the method. Exceptions pass as they are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeAlias, TypeVar

from .._context.request import Serving, serving

_MARKS = ("__self__", "__func__", "experimental_thread_pool", "experimental_non_blocking")
"""What wrappers have of a method besides what `functools.update_wrapper` copies."""

Behavior: TypeAlias = Callable[..., Any]
Wrapper = TypeVar("Wrapper", bound=Callable[..., Any])


def scoped(behavior: Behavior, *, on_aio: bool, streaming: bool) -> Behavior:
    """Wraps a servicer's method so that it runs in the scope of the request that it handles.

    grpc takes the wrapper for the kind of function (coroutine, generator, …) that it takes the method for.

    Args:
        behavior: a servicer's method.
        on_aio: whether it is for a server of grpc.aio.
        streaming: whether it has a stream of responses.
    """
    if on_aio and inspect.isasyncgenfunction(behavior):
        return _like(behavior, _async_stream(behavior))
    if on_aio and inspect.iscoroutinefunction(behavior):
        return _like(behavior, _coroutine(behavior))
    if not streaming:
        return _like(behavior, _function(behavior))
    if not on_aio and getattr(behavior, "experimental_non_blocking", False):
        return _like(behavior, _non_blocking(behavior))
    return _like(behavior, _stream(behavior))


def handing_out(behavior: Behavior) -> Behavior:
    """Wraps a plain function that returns an async iterator, which grpc.aio would take for a sync handler."""

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        responses = behavior(request, context)
        if inspect.isawaitable(responses):
            responses = await responses
        if hasattr(responses, "__aiter__"):
            async for response in responses:
                yield response
        else:
            for response in responses:
                yield response

    return _like(behavior, handle)


def close(responses: Any, mark: Serving | None) -> None:
    """Closes a handler's generator as part of serving its request."""
    closing = getattr(responses, "close", None)
    if closing is None:
        return
    before = serving.set(mark)
    try:
        closing()
    finally:
        serving.reset(before)


def _like(behavior: Behavior, wrapper: Wrapper) -> Wrapper:
    functools.update_wrapper(wrapper, behavior)
    for name in _MARKS:
        if hasattr(behavior, name):
            setattr(wrapper, name, getattr(behavior, name))
    return wrapper


def _function(behavior: Behavior) -> Behavior:
    def handle(request: Any, context: Any) -> Any:
        mark = Serving(context)
        before = serving.set(mark)
        try:
            return behavior(request, context)
        finally:
            serving.reset(before)
            mark.end()

    return handle


def _stream(behavior: Behavior) -> Behavior:
    def handle(request: Any, context: Any) -> Iterator[Any]:
        mark = Serving(context)
        before = serving.set(mark)
        try:
            responses = behavior(request, context)
        except BaseException:
            mark.end()
            raise
        finally:
            serving.reset(before)
        return _responses(responses, mark)

    return handle


def _responses(responses: Any, request_mark: Serving) -> Iterator[Any]:
    # The mark is set only while the handler's own code runs: see `outermost.stream`.
    mark: Serving | None = request_mark
    try:
        if not hasattr(responses, "__next__"):
            responses = iter(responses)
        while True:
            before = serving.set(mark)
            try:
                response = next(responses)
            except StopIteration:
                return
            finally:
                mark = serving.get()  # a block of ignore_deadline() changes it
                serving.reset(before)
            yield response
    finally:
        close(responses, mark)
        request_mark.end()


def _non_blocking(behavior: Behavior) -> Behavior:
    def handle(request: Any, context: Any, send: Callable[[Any], None]) -> Any:
        mark = Serving(context)
        if not context.add_callback(mark.end):
            mark.end()
        before = serving.set(mark)
        try:
            return behavior(request, context, send)
        finally:
            serving.reset(before)

    return handle


def _coroutine(behavior: Behavior) -> Behavior:
    async def handle(request: Any, context: Any) -> Any:
        mark = Serving(context)
        serving.set(mark)  # the task is this call's own: there is nothing to reset
        try:
            return await behavior(request, context)
        finally:
            mark.end()

    return handle


def _async_stream(behavior: Behavior) -> Behavior:
    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        mark = Serving(context)
        serving.set(mark)
        responses = behavior(request, context)
        try:
            async for response in responses:
                yield response
        finally:
            await responses.aclose()
            mark.end()

    return handle
