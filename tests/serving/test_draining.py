"""How the responses of a draining server are marked, so that consumers' Envoys leave at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2

import dubbo_mesh
import dubbo_mesh.aio
import localmesh
from dubbo_mesh._serving.draining import LEAVING
from dubbo_mesh._serving.handlers import Handlers
from dubbo_mesh._serving.traffic import Traffic
from tests.calling.echo import EchoStub
from tests.serving.conftest import Kind, LoopThread, Running
from tests.serving.providers import OWN, AsyncProvider, Provider

Serve = Callable[..., Running]
Grpc = cast("Any", grpc)  # for handlers of bytes, whose types nothing tells

SHAPES: dict[str, Callable[[EchoStub, str], Any]] = {
    "unary": lambda stub, word: stub.unary.with_call(StringValue(value=word), timeout=5)[1],
    "server stream": lambda stub, word: finished(stub.serverStream(StringValue(value=word), timeout=5)),
    "client stream": lambda stub, word: stub.clientStream.with_call(
        iter([StringValue(value=word)]), timeout=5
    )[1],
    "bidi": lambda stub, word: finished(stub.bidi(iter([StringValue(value=word)]), timeout=5)),
}


def finished(call: Any) -> Any:
    for _ in call:
        pass
    return call


def metadata(of: Any) -> list[tuple[str, str]]:
    return [(key, value) for key, value in of or ()]


@pytest.fixture
def draining(serve: Serve) -> Iterator[Running]:
    """A server that drains while the test runs."""
    running = serve(drain=20, quiet=20)
    drain = running.drain_in_background()
    localmesh.wait_until(lambda: running.server.draining, what="the server drains")
    yield running
    running.close()
    drain.join()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_response_says_that_the_server_leaves(draining: Running, shape: str) -> None:
    call = SHAPES[shape](draining.stub(), "hello")
    assert metadata(call.initial_metadata()) == [LEAVING]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_response_says_so_before(serve: Serve, shape: str) -> None:
    call = SHAPES[shape](serve().stub(), "hello")
    assert metadata(call.initial_metadata()) == metadata(call.trailing_metadata()) == []


@pytest.mark.parametrize("shape", ["unary", "server stream"])
def test_initial_metadata_of_the_handlers_own_stays(draining: Running, shape: str) -> None:
    call = SHAPES[shape](draining.stub(), "metadata")
    assert metadata(call.initial_metadata()) == [OWN, LEAVING]


@pytest.mark.parametrize("shape", ["unary", "server stream"])
def test_a_failure_stays_one_that_envoy_would_retry(draining: Running, shape: str) -> None:
    # Without initial metadata the status goes out in the response's headers, where Envoy looks for it.
    with pytest.raises(grpc.RpcError) as raised:
        SHAPES[shape](draining.stub(), "abort")
    error: Any = raised.value
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "as asked")
    assert metadata(error.initial_metadata()) == []
    assert metadata(error.trailing_metadata()) == ([OWN, LEAVING] if shape == "unary" else [LEAVING])


def test_an_exception_says_so_too(draining: Running) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        draining.stub().unary(StringValue(value="raise"))
    error: Any = raised.value
    assert error.code() is grpc.StatusCode.INTERNAL
    assert LEAVING in metadata(error.trailing_metadata())


def test_a_call_that_runs_when_draining_begins_says_so(kind: Kind, serve: Serve) -> None:
    begun, going_on = threading.Event(), threading.Event()

    class Sync(Provider):
        def unary(self, request: StringValue, context: Any) -> StringValue:
            begun.set()
            going_on.wait(10)
            return request

    class Async(AsyncProvider):
        async def unary(self, request: StringValue, context: Any) -> StringValue:
            begun.set()
            await asyncio.to_thread(going_on.wait, 10)
            return request

    running = serve(Sync() if kind == "sync" else Async(), drain=5, quiet=5)
    call: Any = running.stub().unary.future(StringValue(value="hello"), timeout=10)
    assert begun.wait(10)
    drain = running.drain_in_background()
    localmesh.wait_until(lambda: running.server.draining, what="the server drains")
    going_on.set()
    assert call.result().value == "hello"
    assert metadata(call.initial_metadata()) == [LEAVING]
    running.close()
    drain.join()


def test_health_checks_say_so_and_are_no_traffic(serve: Serve) -> None:
    running = serve(drain=120, quiet=2)
    health, stub = running.health(), running.stub()
    assert health.check() == "SERVING"
    drain = running.drain_in_background()
    localmesh.wait_until(lambda: running.server.draining, what="the server drains")
    localmesh.wait_until(lambda: health.check() == "NOT_SERVING", what="health says so")
    call = health.stub.Check.with_call(health_pb2.HealthCheckRequest(), timeout=5)[1]
    assert metadata(call.initial_metadata()) == [LEAVING]
    with suppress(grpc.RpcError):  # when it has stopped
        while drain.is_alive():
            assert health.check() == "NOT_SERVING"
            time.sleep(0.02)
    drain.join(60)  # as traffic the checks would make it last 120 s
    assert not drain.is_alive()
    with pytest.raises(grpc.RpcError):
        stub.unary(StringValue(value="late"))


def test_servicers_of_other_generators_say_so_too(kind: Kind, make: Serve) -> None:
    def behave(request: bytes, context: Any) -> bytes:
        return request

    async def behave_async(request: bytes, context: Any) -> bytes:
        return request

    handler = Grpc.unary_unary_rpc_method_handler(behave if kind == "sync" else behave_async)
    running = make(drain=5, quiet=5)
    # As protoc's add_…_to_server does.
    running.server.add_generic_rpc_handlers(
        (Grpc.method_handlers_generic_handler("other.Service", {"call": handler}),)
    )
    running.server.add_registered_method_handlers("other.Service", {"call": handler})
    call = cast("Any", running.start().channel()).unary_unary("/other.Service/call")
    assert metadata(call.with_call(b"1")[1].initial_metadata()) == []
    drain = running.drain_in_background()
    localmesh.wait_until(lambda: running.server.draining, what="the server drains")
    response, of = call.with_call(b"2")
    assert (response, metadata(of.initial_metadata())) == (b"2", [LEAVING])
    running.close()
    drain.join()


def test_sync_servicers_on_an_async_server_say_so(loop: LoopThread) -> None:
    running = Running("aio", loop, Provider(), drain=5, quiet=5)
    drain = running.start().drain_in_background()
    try:
        localmesh.wait_until(lambda: running.server.draining, what="the server drains")
        for shape, call in SHAPES.items():
            assert metadata(call(running.stub(), "hello").initial_metadata()) == [LEAVING], shape
        with pytest.raises(grpc.RpcError) as raised:
            running.stub().unary(StringValue(value="abort"))
        error: Any = raised.value
        assert metadata(error.initial_metadata()) == []
        assert LEAVING in metadata(error.trailing_metadata())
    finally:
        running.close()
        drain.join()


class Writer(dubbo_mesh.aio.Servicer):
    """Answers streams by writing to the context, the other way of grpc.aio's; aborts with a status object."""

    __mesh__ = dubbo_mesh.Service(
        "test.Writer",
        dubbo_mesh.Method("/test.Writer/stream", StringValue, StringValue, server_streaming=True),
        dubbo_mesh.Method("/test.Writer/abort", StringValue, StringValue),
        app="writer",
    )

    async def stream(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> None:
        await context.write(request)
        await context.write(request)

    async def abort(self, request: StringValue, context: Any) -> StringValue:
        assert isinstance(context, grpc.aio.ServicerContext)
        await context.abort(grpc.StatusCode.ABORTED, "as asked", (OWN,))
        return request


def test_handlers_that_write_to_the_context_say_so(loop: LoopThread) -> None:
    running = Running("aio", loop, Writer(), drain=5, quiet=5)
    drain = running.start().drain_in_background()
    try:
        localmesh.wait_until(lambda: running.server.draining, what="the server drains")
        channel = cast("Any", running.channel())
        call = channel.unary_stream("/test.Writer/stream")(b"")
        assert len(list(call)) == 2
        assert metadata(call.initial_metadata()) == [LEAVING]
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary("/test.Writer/abort")(b"")
        error: Any = raised.value
        assert metadata(error.trailing_metadata()) == [OWN, LEAVING]
    finally:
        running.close()
        drain.join()


def test_a_stream_can_look_whether_to_end(kind: Kind, make: Serve) -> None:
    ended = threading.Event()

    class Sync(Provider):
        def serverStream(self, request: StringValue, context: Any) -> Iterator[StringValue]:
            while not running.server.draining:
                yield request
                time.sleep(0.01)
            ended.set()

    class Async(AsyncProvider):
        async def serverStream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
            while not running.server.draining:
                yield request
                await asyncio.sleep(0.01)
            ended.set()

    running = make(Sync() if kind == "sync" else Async(), drain=0.1)
    call = running.start().stub().serverStream(StringValue(value="on"))
    next(call)
    running.drain()
    assert ended.is_set()
    assert all(message.value == "on" for message in call)


def test_what_surrounds_a_handler_is_made_once() -> None:
    """A call costs one look-up; that holds for unknown paths too, until the server drains."""
    traffic = Traffic()
    handlers = Handlers(traffic, asynchronous=False, strict_routing=False)

    def echo(request: Any, context: Any) -> Any:
        return request

    shapes = {
        "stream": Grpc.unary_stream_rpc_method_handler(echo),
        "unary": Grpc.unary_unary_rpc_method_handler(echo),
    }
    handlers.register("s", shapes)

    class Details:
        method = ""
        invocation_metadata = ()

    details: Any = Details()
    for name in shapes:
        details.method = f"/s/{name}"
        assert handlers.service(details) is handlers.service(details)
    details.method = "/s/nothing"
    assert handlers.service(details) is None
    assert traffic.last_call is None
    traffic.leaving = True
    assert handlers.service(details) is not None  # it marks the refusal
    assert traffic.last_call is not None


def around(kind: Kind, change: Callable[[Any], Any]) -> Any:
    """An interceptor that passes the function of unary handlers through `change`."""

    def changed(handler: Any) -> Any:
        return handler and handler._replace(unary_unary=change(handler.unary_unary))

    class Sync(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            return changed(continuation(handler_call_details))

    class Async(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            return changed(await continuation(handler_call_details))

    return Sync() if kind == "sync" else Async()


@pytest.fixture
def draining_with(make: Serve) -> Iterator[Callable[..., Running]]:
    """Makes servers that drain while the test runs."""
    drains: list[tuple[Running, threading.Thread]] = []

    def start(*servicers: object, **settings: Any) -> Running:
        running = make(*servicers, **{"drain": 20, "quiet": 20} | settings).start()
        drains.append((running, running.drain_in_background()))
        localmesh.wait_until(lambda: running.server.draining, what="the server drains")
        return running

    yield start
    for running, drain in drains:
        running.close()
        drain.join()


class TestInterceptors:
    """Their responses are marked, and what they do to a response stays."""

    def test_trailing_metadata_stays(self, kind: Kind, draining_with: Callable[..., Running]) -> None:
        def sync(behavior: Any) -> Any:
            def respond(request: Any, context: Any) -> Any:
                context.cost = 3  # grpc's sync contexts take attributes
                try:
                    return behavior(request, context)
                finally:
                    assert context.cost == 3
                    context.set_trailing_metadata((OWN,))

            return respond

        def asynchronous(behavior: Any) -> Any:
            async def respond(request: Any, context: Any) -> Any:
                context.set_trailing_metadata((OWN,))
                return await behavior(request, context)

            return respond

        running = draining_with(interceptors=[around(kind, sync if kind == "sync" else asynchronous)])
        call = running.stub().unary.with_call(StringValue(value="hello"), timeout=5)[1]
        assert metadata(call.initial_metadata()) == [LEAVING]
        assert metadata(call.trailing_metadata()) == [OWN]
        with pytest.raises(grpc.RpcError) as raised:
            running.stub().unary(StringValue(value="raise"), timeout=5)
        error: Any = raised.value
        assert metadata(error.initial_metadata()) == []
        assert metadata(error.trailing_metadata()) == [OWN, LEAVING]

    def test_refusals_say_so(self, kind: Kind, draining_with: Callable[..., Running]) -> None:
        def sync(behavior: Any) -> Any:
            def respond(request: Any, context: Any) -> Any:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "denied")

            return respond

        def asynchronous(behavior: Any) -> Any:
            async def respond(request: Any, context: Any) -> Any:
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, "denied")

            return respond

        running = draining_with(interceptors=[around(kind, sync if kind == "sync" else asynchronous)])
        assert refused(running, "/test.Echo/unary") == grpc.StatusCode.PERMISSION_DENIED

    def test_exceptions_say_so(self, kind: Kind, draining_with: Callable[..., Running]) -> None:
        def fail(behavior: Any) -> Any:
            raise ValueError

        running = draining_with(interceptors=[around(kind, fail)])
        assert refused(running, "/test.Echo/unary") == grpc.StatusCode.INTERNAL


def refused(running: Running, path: str) -> grpc.StatusCode:
    """How a call of `path` ends, which fails, by a marked response that is nothing but a status."""
    channel: Any = running.channel()
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(path)(b"", timeout=5)
    error: Any = raised.value
    assert metadata(error.initial_metadata()) == []
    assert metadata(error.trailing_metadata()) == [LEAVING]
    return raised.value.code()


@pytest.mark.parametrize("intercepted", [False, True])
def test_unknown_methods_say_so(kind: Kind, draining_with: Callable[..., Running], intercepted: bool) -> None:
    interceptors = [around(kind, lambda behavior: behavior)] if intercepted else []
    running = draining_with(interceptors=interceptors)
    for path in ("/test.Echo/nothing", "/test.Nobody/unary"):
        assert refused(running, path) is grpc.StatusCode.UNIMPLEMENTED


def test_refusals_by_version_say_so(kind: Kind, draining_with: Callable[..., Running]) -> None:
    keyed = dubbo_mesh.Service("test.Echo", *Provider.__mesh__.methods.values(), app="echo", version="2.0")
    base = Provider if kind == "sync" else AsyncProvider
    running = draining_with(type("Keyed", (base,), {"__mesh__": keyed})(), strict_routing=True)
    assert refused(running, "/test.Echo/unary") is grpc.StatusCode.UNIMPLEMENTED


def test_an_empty_stream_says_so(kind: Kind, draining_with: Callable[..., Running]) -> None:
    class Sync(Provider):
        def serverStream(self, request: StringValue, context: Any) -> Iterator[StringValue]:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            yield from ()

    class Async(AsyncProvider):
        async def serverStream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            for _ in ():
                yield request

    running = draining_with(Sync() if kind == "sync" else Async())
    call: Any = running.stub().serverStream(StringValue(), timeout=5)
    assert call.code() is grpc.StatusCode.NOT_FOUND
    assert metadata(call.initial_metadata()) == []
    assert metadata(call.trailing_metadata()) == [LEAVING]


def test_a_status_with_metadata_of_its_own_says_so(kind: Kind, draining_with: Callable[..., Running]) -> None:
    class Status(grpc.Status):
        code = grpc.StatusCode.ABORTED
        details = "as asked"
        trailing_metadata = (OWN,)

    class Sync(Provider):
        def unary(self, request: StringValue, context: Any) -> StringValue:
            context.abort_with_status(Status())
            raise AssertionError

    class Async(AsyncProvider):
        async def unary(self, request: StringValue, context: Any) -> StringValue:
            await context.abort_with_status(Status())
            raise AssertionError

    running = draining_with(Sync() if kind == "sync" else Async())
    with pytest.raises(grpc.RpcError) as raised:
        running.stub().unary(StringValue(), timeout=5)
    error: Any = raised.value
    assert (error.code(), error.details()) == (grpc.StatusCode.ABORTED, "as asked")
    assert metadata(error.initial_metadata()) == []
    assert metadata(error.trailing_metadata()) == [OWN, LEAVING]


def test_a_sync_handler_that_runs_when_draining_begins_marks_what_it_sends_itself() -> None:
    begun, going_on = threading.Event(), threading.Event()

    class Sync(Provider):
        def unary(self, request: StringValue, context: Any) -> StringValue:
            begun.set()
            going_on.wait(10)
            context.send_initial_metadata((OWN,))
            return request

    running = Running("sync", None, Sync(), drain=5, quiet=5).start()
    call: Any = running.stub().unary.future(StringValue(), timeout=10)
    begun.wait(10)
    drain = running.drain_in_background()
    localmesh.wait_until(lambda: running.server.draining, what="the server drains")
    going_on.set()
    assert metadata(call.initial_metadata()) == [OWN, LEAVING]
    running.close()
    drain.join()
