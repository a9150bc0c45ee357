"""Server interceptors see what they do with protoc's code: the servicer's methods and their exceptions."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh._serving.handlers import Handlers
from dubbo_mesh._serving.traffic import Traffic
from tests.calling.echo import EchoAsyncServicer, EchoServicer, EchoStub
from tests.grpc_features.servers import KINDS, MAKES, Kind, Make, Served, served

X = StringValue(value="x")
SHAPES: dict[str, Callable[[EchoStub], Any]] = {
    "unary": lambda stub: stub.unary(X, timeout=5).value,
    "serverStream": lambda stub: [each.value for each in stub.serverStream(X, timeout=5)],
    "clientStream": lambda stub: stub.clientStream(iter([X]), timeout=5).value,
    "bidi": lambda stub: [each.value for each in stub.bidi(iter([X]), timeout=5)],
}
ATTRIBUTES = {
    "unary": "unary_unary",
    "serverStream": "unary_stream",
    "clientStream": "stream_unary",
    "bidi": "stream_stream",
}

UNCAUGHT = (grpc.StatusCode.INTERNAL, "internal error: see the server's log")

everywhere = pytest.mark.parametrize("make", MAKES)
both_kinds = pytest.mark.parametrize("kind", KINDS)
each_shape = pytest.mark.parametrize("shape", SHAPES)


class OutOfStockError(Exception):
    """A failure that the application has a name for."""


def requires(role: str) -> Callable[[Any], Any]:
    """Marks a method; what reads the mark is an interceptor."""

    def mark(method: Any) -> Any:
        method.required_role = role
        return method

    return mark


class Shop(EchoServicer):
    """Of which every method fails, and is marked."""

    @requires("admin")
    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        raise OutOfStockError("secret")

    @requires("admin")
    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        raise OutOfStockError("secret")
        yield request

    @requires("admin")
    def clientStream(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> StringValue:
        raise OutOfStockError("secret")

    @requires("admin")
    def bidi(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> Iterator[StringValue]:
        raise OutOfStockError("secret")
        yield from request_iterator


class AsyncShop(EchoAsyncServicer):
    """The same, for asyncio."""

    @requires("admin")
    async def unary(self, request: StringValue, context: Any) -> StringValue:
        raise OutOfStockError("secret")

    @requires("admin")
    async def serverStream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        raise OutOfStockError("secret")
        yield request

    @requires("admin")
    async def clientStream(self, request_iterator: Any, context: Any) -> StringValue:
        raise OutOfStockError("secret")

    @requires("admin")
    async def bidi(self, request_iterator: Any, context: Any) -> AsyncIterator[StringValue]:
        raise OutOfStockError("secret")
        yield await anext(request_iterator)


def shop(kind: Kind) -> Any:
    return Shop() if kind == "sync" else AsyncShop()


def status_of(server: Served, shape: str) -> tuple[grpc.StatusCode, str | None]:
    """How a call ends that fails."""
    with server.stub() as stub, pytest.raises(grpc.RpcError) as raised:
        SHAPES[shape](stub)
    return raised.value.code(), raised.value.details()


def intercepting(kind: Kind, change: Callable[[str, Any], Any]) -> Any:
    """An interceptor that passes each handler through `change`, with its path."""

    class Sync(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            return change(handler_call_details.method, continuation(handler_call_details))

    class Async(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            return change(handler_call_details.method, await continuation(handler_call_details))

    return Sync() if kind == "sync" else Async()


def surrounding(kind: Kind, surround: Callable[[Any], Any]) -> Any:
    """An interceptor that surrounds the function of a handler, whatever its shape."""

    def change(_path: str, handler: Any) -> Any:
        if handler is None:
            return None
        (name,) = (each for each in ATTRIBUTES.values() if getattr(handler, each) is not None)
        return handler._replace(**{name: surround(getattr(handler, name))})

    return intercepting(kind, change)


def mapping(kind: Kind, seen: list[BaseException]) -> Any:
    """An interceptor that answers exceptions of the application, as `grpc-interceptor` does."""

    def sync(behavior: Any) -> Any:
        @functools.wraps(behavior)
        def respond(request: Any, context: Any) -> Any:
            try:
                return behavior(request, context)
            except Exception as error:  # noqa: BLE001 - as the real ones do
                seen.append(error)
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "out of stock")

        return respond

    def sync_stream(behavior: Any) -> Any:
        @functools.wraps(behavior)
        def respond(request: Any, context: Any) -> Any:
            try:
                yield from behavior(request, context)
            except Exception as error:  # noqa: BLE001 - as the real ones do
                seen.append(error)
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "out of stock")

        return respond

    def asynchronous(behavior: Any) -> Any:
        @functools.wraps(behavior)
        async def respond(request: Any, context: Any) -> Any:
            try:
                return await behavior(request, context)
            except Exception as error:  # noqa: BLE001 - as the real ones do
                seen.append(error)
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "out of stock")

        return respond

    def async_stream(behavior: Any) -> Any:
        @functools.wraps(behavior)
        async def respond(request: Any, context: Any) -> Any:
            try:
                async for response in behavior(request, context):
                    yield response
            except Exception as error:  # noqa: BLE001 - as the real ones do
                seen.append(error)
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "out of stock")

        return respond

    def change(_path: str, handler: Any) -> Any:
        (name,) = (each for each in ATTRIBUTES.values() if getattr(handler, each) is not None)
        streams = name.endswith("stream")
        if kind == "sync":
            surround = sync_stream if streams else sync
        else:
            surround = async_stream if streams else asynchronous
        return handler._replace(**{name: surround(getattr(handler, name))})

    return intercepting(kind, change)


@everywhere
@both_kinds
@each_shape
class TestSeeing:
    def test_the_servicers_method(self, make: Make, kind: Kind, shape: str) -> None:
        found: dict[str, Any] = {}
        servicer = shop(kind)

        def note(path: str, handler: Any) -> Any:
            found[path] = handler and getattr(handler, ATTRIBUTES[shape])
            return handler

        with served(make, kind, servicer, interceptors=[intercepting(kind, note)]) as server:
            status_of(server, shape)
        method = found[f"/test.Echo/{shape}"]
        own = getattr(servicer, shape)
        assert method.required_role == "admin"
        assert method.__self__ is servicer
        assert method.__func__ is own.__func__
        assert (method.__name__, method.__qualname__, method.__module__, method.__doc__) == (
            own.__name__,
            own.__qualname__,
            own.__module__,
            own.__doc__,
        )
        if make == "ours on grpc":
            assert method.__wrapped__ == own
        else:
            assert method == own

    def test_the_handlers_own_exception(self, make: Make, kind: Kind, shape: str) -> None:
        seen: list[BaseException] = []
        with served(make, kind, shop(kind), interceptors=[mapping(kind, seen)]) as server:
            status = status_of(server, shape)
        assert [type(each) for each in seen] == [OutOfStockError]
        assert status == (grpc.StatusCode.FAILED_PRECONDITION, "out of stock")


@both_kinds
@each_shape
class TestExceptions:
    """That nothing catches: grpc's own servers tell callers their text, ours logs it."""

    def test_on_grpcs_servers_are_as_with_protocs_code(self, kind: Kind, shape: str) -> None:
        with served("protoc on grpc", kind, shop(kind)) as server:
            expected = status_of(server, shape)
        with served("ours on grpc", kind, shop(kind)) as server:
            assert status_of(server, shape) == expected
        assert expected[0] is grpc.StatusCode.UNKNOWN
        assert "secret" in (expected[1] or "")

    @pytest.mark.parametrize("intercepted", [False, True])
    def test_on_ours_are_internal_errors(
        self, kind: Kind, shape: str, intercepted: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        interceptors = [surrounding(kind, lambda behavior: behavior)] if intercepted else []
        with served("ours", kind, shop(kind), interceptors=interceptors) as server:
            assert status_of(server, shape) == UNCAUGHT
        (record,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
        assert record.name.startswith("dubbo_mesh.")
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], OutOfStockError)


@both_kinds
def test_an_exception_of_an_interceptors_is_an_internal_error_too(kind: Kind) -> None:
    def fail(path: str, handler: Any) -> Any:
        raise OutOfStockError("secret")

    with served("ours", kind, shop(kind), interceptors=[intercepting(kind, fail)]) as server:
        for shape in SHAPES:
            assert status_of(server, shape) == UNCAUGHT


@both_kinds
def test_the_request_is_there_in_interceptors_on_our_server(kind: Kind) -> None:
    inside: list[dubbo_mesh.RequestContext | None] = []

    def surround(behavior: Any) -> Any:
        @functools.wraps(behavior)
        def respond(request: Any, context: Any) -> Any:
            inside.append(dubbo_mesh.current_request())
            return behavior(request, context)

        @functools.wraps(behavior)
        async def respond_async(request: Any, context: Any) -> Any:
            inside.append(dubbo_mesh.current_request())
            return await behavior(request, context)

        return respond if kind == "sync" else respond_async

    interceptors = [surrounding(kind, surround)]
    with served("ours", kind, shop(kind), interceptors=interceptors) as server, server.stub() as stub:
        call = stub.unary.future(StringValue(), metadata=(("x-request-id", "7"),), timeout=5)
        assert call.code() is grpc.StatusCode.INTERNAL
    (request,) = inside
    assert request is not None
    assert request.request_id == "7"


@both_kinds
def test_health_is_not_for_interceptors_to_stop_on_our_server(kind: Kind) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    paths: list[str] = []

    def deny(path: str, handler: Any) -> Any:
        paths.append(path)
        raise PermissionError

    interceptors = [intercepting(kind, deny)]
    with (
        served("ours", kind, shop(kind), interceptors=interceptors, reflection=True) as server,
        server.channel() as channel,
    ):
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=5).status == 1
        reflect = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        assert len(list(reflect(iter([b"\x3a\x01*"]), timeout=5))) == 1  # list_services: "*"
        assert paths == []
        status_of(server, "unary")
        assert paths == ["/test.Echo/unary"]


@everywhere
def test_a_methods_own_thread_pool_is_used(make: Make) -> None:
    """grpcio's experimental way to keep a method off the server's threads."""
    import threading

    def note(self: Any, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return StringValue(value=threading.current_thread().name)

    pool = ThreadPoolExecutor(1, thread_name_prefix="own")
    note.experimental_thread_pool = pool  # type: ignore[attr-defined]
    servicer = type("Pooled", (EchoServicer,), {"unary": note})()
    with served(make, "sync", servicer) as server, server.stub() as stub:
        assert stub.unary(StringValue(), timeout=5).value.startswith("own")
    pool.shutdown()


@everywhere
def test_a_method_that_does_not_block_is_given_its_callback(make: Make) -> None:
    """grpcio's experimental way to answer a stream without a thread."""

    def answer(self: Any, request: StringValue, context: grpc.ServicerContext, send: Any) -> None:
        assert make == "protoc on grpc" or dubbo_mesh.current_request() is not None
        send(request)
        send(request)
        send(None)

    answer.experimental_non_blocking = True  # type: ignore[attr-defined]
    servicer = type("Answering", (EchoServicer,), {"serverStream": answer})()
    with served(make, "sync", servicer) as server, server.stub() as stub:
        assert SHAPES["serverStream"](stub) == ["x", "x"]


@both_kinds
@pytest.mark.parametrize("error", [OutOfStockError, SystemExit])
def test_an_exception_of_a_generic_handler_is_an_internal_error_too(
    kind: Kind, error: type[BaseException]
) -> None:
    class Generic(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            raise error("secret")

    servicer = shop(kind)
    with served("ours", kind, servicer) as server, server.channel() as channel:
        server.server.add_generic_rpc_handlers((Generic(),))
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as raised:
                channel.unary_unary("/other.Service/call")(b"", timeout=5)
            assert (raised.value.code(), raised.value.details()) == UNCAUGHT


@pytest.mark.parametrize("asynchronous", [False, True])
def test_without_interceptors_there_is_none_of_ours(asynchronous: bool) -> None:
    """Interceptors cost each call: the layer around handlers is one only where there are others."""
    handlers = Handlers(Traffic(), asynchronous=asynchronous, strict_routing=False)
    assert handlers.around([]) == []
    own = intercepting("aio" if asynchronous else "sync", lambda path, handler: handler)
    first, second = handlers.around([own])
    assert second is own
    assert isinstance(first, grpc.aio.ServerInterceptor if asynchronous else grpc.ServerInterceptor)
