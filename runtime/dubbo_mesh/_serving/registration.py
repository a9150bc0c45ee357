"""Servicers on servers: generated `add_…_to_server` functions end here.

Handlers are wrapped so that `current_request()` works in them and what they fail to catch stays in the house.
A servicer may be sync or async and the server of `grpc` or of `grpc.aio`, in every combination that grpc has.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import grpc.aio

from .._context.request import Serving, serving
from .._contract.service import Method, Service
from .aio_servicer import Servicer as AsyncServicer
from .handlers import handlers_of

_log = logging.getLogger("dubbo_mesh")

_Behavior = Callable[[Any, Any], Any]
_NO_MORE = object()


def add_servicer(servicer: object, server: grpc.Server | grpc.aio.Server, service: Service) -> None:
    """Serves `servicer` on `server`, under each rpc's name and its lower-first alias, with health.

    Dubbo Java's consumers without a stub call `/svc/sayHello` for an rpc `SayHello` (apache/dubbo#9739).

    Raises:
        TypeError: a method is async and the server is not.
        AttributeError: the servicer lacks a method.
    """
    on_aio = isinstance(server, grpc.aio.Server)
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for method in service.methods.values():
        behavior = _wrapped(getattr(servicer, method.attribute), servicer, method, on_aio)
        make_handler = _HANDLERS[method.client_streaming, method.server_streaming]
        handlers[method.name] = make_handler(
            behavior,
            request_deserializer=method.request_type.FromString,
            response_serializer=method.response_type.SerializeToString,
        )
    for name in tuple(handlers):
        handlers.setdefault(name[0].lower() + name[1:], handlers[name])
    table = handlers_of(server)
    if table is not None:
        table.add(service, handlers)
    else:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.name, handlers),))
        # As protoc's code does, for the faster way through grpc's core; types-grpcio lacks it.
        untyped: Any = server
        untyped.add_registered_method_handlers(service.name, handlers)

    from .._health.registration import (
        board_of,
    )  # here, so that who only calls does not load the health service

    board_of(server).add(service)


_HANDLERS: dict[tuple[bool, bool], Callable[..., grpc.RpcMethodHandler[Any, Any]]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def _wrapped(behavior: _Behavior, servicer: object, method: Method, on_aio: bool) -> _Behavior:
    """`behavior` in the wrapper of its kind, as grpc tells kinds apart."""
    generates = inspect.isasyncgenfunction(behavior)
    awaits = inspect.iscoroutinefunction(behavior)
    if (generates or awaits) and not on_aio:
        raise TypeError(
            f"{type(servicer).__name__}.{method.attribute} is async: serve it on a server of grpc.aio"
        )
    if not on_aio:
        return _sync_stream(behavior) if method.server_streaming else _sync_unary(behavior)
    if method.server_streaming and not awaits and (generates or isinstance(servicer, AsyncServicer)):
        # A plain function of an async servicer hands out an async iterator.
        return _async_stream(behavior)
    if awaits:
        return _async_unary(behavior)
    return _sync_stream(behavior) if method.server_streaming else _sync_unary(behavior)


def _sync_unary(behavior: _Behavior) -> _Behavior:
    def handle(request: Any, context: grpc.ServicerContext) -> Any:
        served = Serving(context)
        mark = serving.set(served)
        try:
            return behavior(request, context)
        except Exception as error:
            _refuse(context, error)
            raise
        finally:
            serving.reset(mark)
            served.end()

    return handle


def _sync_stream(behavior: _Behavior) -> _Behavior:
    def handle(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        served = Serving(context)
        mark: Serving | None = served

        def run(step: Callable[..., Any], *args: Any) -> Any:
            # The mark stands only while the handler's own code runs: the generator may be dropped between two
            # responses and closed by whichever thread collects it, which may be serving another request.
            nonlocal mark
            before = serving.set(mark)
            try:
                return step(*args)
            except Exception as error:
                _refuse(context, error)
                raise
            finally:
                mark = serving.get()  # it differs in a block of ignore_deadline()
                serving.reset(before)

        responses: Any = None
        try:
            responses = run(lambda: iter(behavior(request, context)))
            while (response := run(next, responses, _NO_MORE)) is not _NO_MORE:
                yield response
        finally:
            try:
                close = getattr(responses, "close", None)
                if close is not None:
                    run(close)
            finally:
                served.end()

    return handle


def _async_unary(behavior: _Behavior) -> _Behavior:
    async def handle(request: Any, context: Any) -> Any:
        served = Serving(context)
        serving.set(served)  # the task is this rpc's own: there is nothing to reset
        try:
            return await behavior(request, context)
        except Exception as error:
            await _refuse_async(context, error)
            raise
        finally:
            served.end()

    return handle


def _async_stream(behavior: _Behavior) -> _Behavior:
    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        served = Serving(context)
        serving.set(served)
        try:
            async for response in behavior(request, context):
                yield response
        except Exception as error:
            await _refuse_async(context, error)
            raise
        finally:
            served.end()

    return handle


def _refuse(context: Any, error: Exception) -> None:
    """Ends the rpc with INTERNAL, unless the handler has settled its status before it raised."""
    if not _settled(context, error):
        context.abort(grpc.StatusCode.INTERNAL, _log_and_describe(error))


async def _refuse_async(context: Any, error: Exception) -> None:
    if not _settled(context, error):
        await context.abort(grpc.StatusCode.INTERNAL, _log_and_describe(error))


def _settled(context: Any, error: Exception) -> bool:
    """Whether the handler has called abort() or set_code(): then grpc does as it says."""
    if isinstance(error, grpc.aio.AbortError):
        return True
    code = getattr(context, "code", None)  # the context of a sync handler on an aio server has none
    return code is not None and code() not in (None, 0, grpc.StatusCode.OK)


def _log_and_describe(error: Exception) -> str:
    """Logs an exception that a handler let go, and says of it what a caller may know: where to find it."""
    mark = serving.get()
    request_id = None if mark is None else mark.request.request_id
    where = "" if request_id is None else f", x-request-id {request_id}"
    _log.error("a handler failed%s", where, exc_info=error)
    return f"internal error: see the server's log{where}"
