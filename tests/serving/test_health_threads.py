"""Health has threads of its own, and neither busy handlers nor its callers can take them all."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import socket
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
import h2.config
import h2.connection
import h2.settings
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

import localmesh
from dubbo_mesh._health import patience
from dubbo_mesh._health.board import HEALTH, Board
from dubbo_mesh._health.registration import board_of
from dubbo_mesh._health.workers import Workers
from tests.calling.echo import add_EchoServicer_to_server
from tests.serving.conftest import Health, Kind, LoopThread, Running
from tests.serving.providers import Provider

otel: Any = importlib.import_module("opentelemetry.instrumentation.grpc")  # which is not typed

Serve = Callable[..., Running]
SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()


def on_asyncio(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def callable_of(channel: grpc.Channel | grpc.aio.Channel, shape: str, rpc: str) -> Any:
    """An rpc of the health service whose messages are bytes."""
    return getattr(channel, shape)(f"/{HEALTH}/{rpc}")


async def silent(channel: grpc.aio.Channel, rpc: str, count: int) -> list[Any]:
    """Calls that have been started, and send neither a request nor that there is none."""
    await channel.channel_ready()  # calls that wait for a connection are sent in no particular order
    calls = [callable_of(channel, "stream_stream", rpc)() for _ in range(count)]
    await asyncio.gather(*(call.wait_for_connection() for call in calls), return_exceptions=True)
    return calls


async def first_to_end(calls: list[Any], count: int) -> list[grpc.StatusCode]:
    """The status codes of those that end first."""
    codes = asyncio.as_completed([call.code() for call in calls])
    return [await next(codes) for _ in range(count)]


async def check(channel: grpc.aio.Channel) -> bytes:
    response: bytes = await callable_of(channel, "unary_unary", "Check")(b"", timeout=10)
    return response


@pytest.mark.parametrize("rpc", ["Check", "List", "Watch"])
def test_callers_that_send_no_request_do_not_silence_health(
    serve: Serve, rpc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 60)  # a busy machine takes its time to start the calls
    running = serve()

    async def work() -> None:
        # On one connection: the server hears of the silent calls first.
        async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            calls = await silent(channel, rpc, 200)
            assert await asyncio.gather(*(check(channel) for _ in range(50))) == [SERVING] * 50
            watch = callable_of(channel, "unary_stream", "Watch")
            assert await watch(b"").read() == SERVING
            assert not any(call.done() for call in calls)  # there was room for all

    on_asyncio(work())


def forgets_attributes(behavior: Callable[..., Any]) -> Callable[..., Any]:
    def traced(request: Any, context: Any) -> Any:
        return behavior(request, context)

    return traced


def keeps_attributes(behavior: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(behavior)
    def traced(request: Any, context: Any) -> Any:
        return behavior(request, context)

    return traced


def takes_anything(behavior: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(behavior)
    def traced(*arguments: Any) -> Any:
        return behavior(*arguments)

    return traced


class Tracing(grpc.ServerInterceptor):
    """Replaces all handlers, as tracing libraries do."""

    def __init__(self, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self._wrap = wrap

    def intercept_service(self, continuation: Callable[..., Any], handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        asks = "stream" if handler.request_streaming else "unary"
        answers = "stream" if handler.response_streaming else "unary"
        behavior = getattr(handler, f"{asks}_{answers}")
        make = getattr(grpc, f"{asks}_{answers}_rpc_method_handler")
        return make(self._wrap(behavior), handler.request_deserializer, handler.response_serializer)


INTERCEPTORS: dict[str, Callable[[], list[Any]]] = {
    "no interceptor": list,
    "one that forgets attributes": lambda: [Tracing(forgets_attributes)],
    "OpenTelemetry": lambda: [otel.server_interceptor()],
}


class Busy(Provider):
    """Holds a thread for each stream until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield request
        self.released.wait(60)


@pytest.mark.parametrize("interceptors", INTERCEPTORS)
def test_health_answers_while_handlers_hold_all_threads(interceptors: str) -> None:
    health_answers_while_busy("sync", None, interceptors=INTERCEPTORS[interceptors]())


def test_health_answers_while_sync_handlers_hold_all_threads_of_an_async_server(loop: LoopThread) -> None:
    health_answers_while_busy("aio", loop)


def health_answers_while_busy(kind: Kind, loop: LoopThread | None, **settings: Any) -> None:
    servicer = Busy()
    running = Running(kind, loop, servicer, max_workers=2, **settings)
    try:
        running.start()
        stub = running.stub()
        busy = [stub.serverStream(StringValue()) for _ in range(2)]
        for call in busy:
            next(call)  # has a thread from now on
        late = stub.unary.future(StringValue(), timeout=0.3)

        async def work() -> None:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
                await silent(channel, "Check", 200)
                assert await check(channel) == SERVING
                watch = callable_of(channel, "unary_stream", "Watch")
                assert await watch(b"").read() == SERVING

        on_asyncio(work())
        # The negative: a call of the server's own has to wait.
        assert isinstance(late.exception(), grpc.RpcError)
        assert all(call.is_active() for call in busy)
    finally:
        servicer.released.set()
        running.drain()
        running.close()


def test_with_too_many_of_them_the_longest_silent_are_cancelled(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 60)  # only their number ends them here
    others = health_threads()
    running = Running("sync", None)
    try:
        running.start()

        async def work() -> None:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
                calls = await silent(channel, "Check", patience.MOST_WAITING + 60)
                assert await check(channel) == SERVING
                assert set(await first_to_end(calls, 60)) == {grpc.StatusCode.CANCELLED}
                assert sum(call.done() for call in calls) in (60, 61)  # the check was one more
                assert not any(call.done() for call in calls[-50:])

        on_asyncio(work())
        assert health_threads() - others <= patience.MOST_WAITING + 16
        assert caplog.text == ""  # it is no failure of a handler's
    finally:
        running.close()


def test_more_than_a_few_are_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0)
    running = Running("sync", None)
    try:
        running.start()

        async def work() -> None:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
                calls = await silent(channel, "Check", 40)
                assert await check(channel) == SERVING
                assert set(await first_to_end(calls, 8)) == {grpc.StatusCode.CANCELLED}
                assert sum(call.done() for call in calls) in (8, 9)  # the check was one more

        on_asyncio(work())
    finally:
        running.close()


def test_callers_that_read_no_response_do_not_silence_health() -> None:
    # By default grpc's core buffers some thousands of responses before a thread has to wait.
    running = Running("sync", None, options=[("grpc.http2.write_buffer_size", 1)])
    try:
        running.start()
        with Unreading(running.port) as peer:
            for _ in range(60):
                peer.watch()
            localmesh.wait_until(lambda: watchers(running) == 60, what="all of them watch")
            assert running.health().check() == "SERVING"
            running.call("set_serving", "", False)
            assert running.health().check() == "NOT_SERVING"
            assert next(running.health().watch()) == "NOT_SERVING"
    finally:
        running.close()


class Unreading:
    """A peer on HTTP/2 that lets the server send no message: its window is 0."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self._connection.initiate_connection()
        self._connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        self._send()

    def watch(self) -> None:
        stream = self._connection.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", f"/{HEALTH}/Watch"),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        self._connection.send_headers(stream, headers)
        self._connection.send_data(stream, bytes(5), end_stream=True)
        self._send()

    def _send(self) -> None:
        self._socket.sendall(self._connection.data_to_send())

    def __enter__(self) -> Unreading:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()


@pytest.mark.parametrize("rpc", ["Check", "List", "Watch"])
@pytest.mark.parametrize(
    ("requests", "code"),
    [([], grpc.StatusCode.UNIMPLEMENTED), ([b"\xff\xff"], grpc.StatusCode.INTERNAL)],
    ids=["none", "garbage"],
)
def test_a_wrong_request_is_answered_as_by_any_unary_rpc_of_grpc(
    rpc: str, requests: list[bytes], code: grpc.StatusCode
) -> None:
    ours = Running("sync", None).start()
    theirs = grpc.server(ThreadPoolExecutor(4))
    health_pb2_grpc.add_HealthServicer_to_server(ThirdPartyHealth(), theirs)
    port = theirs.add_insecure_port("127.0.0.1:0")
    theirs.start()
    try:
        for each in (ours.port, port):
            with grpc.insecure_channel(f"127.0.0.1:{each}") as channel:
                start = callable_of(channel, "stream_stream", rpc)
                with pytest.raises(grpc.RpcError) as raised:
                    next(start(iter(requests), timeout=10))
                assert raised.value.code() is code
    finally:
        ours.close()
        theirs.stop(None)


class ThirdPartyHealth(health.HealthServicer):
    """grpcio's own, with List."""

    def List(self, request: Any, context: Any) -> Any:
        messages: Any = health_pb2
        return messages.HealthListResponse()


# On grpc's own servers health is subject to the user's interceptors, as grpcio's own health service is.


@contextmanager
def plain_server(*interceptors: grpc.ServerInterceptor) -> Generator[tuple[Board, Health]]:
    server = grpc.server(ThreadPoolExecutor(4), interceptors=list(interceptors))
    add_EchoServicer_to_server(Provider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield board_of(server), Health(channel)
    finally:
        server.stop(None)


@pytest.mark.parametrize("wrap", [forgets_attributes, keeps_attributes, takes_anything])
def test_health_works_behind_interceptors_that_replace_handlers(wrap: Any) -> None:
    with plain_server(Tracing(wrap)) as (board, says):
        watch = says.watch("test.Echo")
        assert next(watch) == "SERVING"
        board.set_serving("test.Echo", False)
        assert next(watch) == "NOT_SERVING"
        assert says.check() == "SERVING"
        assert set(says.list()) == {"", "test.Echo"}
        board.close()
        assert list(watch) == []


def test_a_thread_that_cannot_be_started_does_not_end_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = threading.Event()
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("dubbo-mesh-health"):
            refused.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    running = Running("sync", None).start()
    try:
        says = running.health()
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            waiting = says.stub.Check.future(health_pb2.HealthCheckRequest(), timeout=20)
            assert refused.wait(10)
        assert says.check() == "SERVING"
        assert waiting.result().status == health_pb2.HealthCheckResponse.SERVING
    finally:
        running.close()


# What comes also goes.


def watchers(running: Running) -> int:
    return len(board_of(running.server)._watchers)  # pyright: ignore[reportPrivateUsage]


def health_threads() -> int:
    return threads_named("dubbo-mesh-health")


def threads_named(prefix: str) -> int:
    return sum(thread.name.startswith(prefix) for thread in threading.enumerate())


def test_watches_that_come_and_go_leave_nothing_behind(kind: Kind, serve: Serve) -> None:
    running = serve()
    stub = running.health().stub
    names = ("", "test.Echo", "test.Nobody")

    def watch_and_go() -> None:
        calls: list[Any] = [stub.Watch(health_pb2.HealthCheckRequest(service=name)) for name in names * 20]
        for call in calls:
            next(call)
        assert watchers(running) == 60
        for call in calls:
            call.cancel()
        localmesh.wait_until(lambda: watchers(running) == 0, what="nobody watches")

    others, before = health_threads(), kept()
    for _ in range(5):
        watch_and_go()
    assert health_threads() - others <= (60 if kind == "sync" else 0)
    localmesh.wait_until(lambda: kept() <= before, what="nothing of a watch is kept")


def kept() -> int:
    """How many things there are of which each watch has one."""
    gc.collect()
    return sum(type(each).__name__ in OF_A_WATCH for each in gc.get_objects())


OF_A_WATCH = ("_Watcher", "_RPCState", "_Context", "async_generator")


def test_threads_that_are_not_needed_any_more_end() -> None:
    workers = Workers("idle", 20, idle_timeout=0.05)
    for _ in range(3):
        all_are_there = threading.Barrier(20)
        for future in [workers.submit(all_are_there.wait, 10) for _ in range(20)]:
            future.result(10)
        localmesh.wait_until(lambda: threads_named("idle") == 0, what="all of them have ended")


def test_no_task_is_lost_while_threads_end() -> None:
    workers = Workers("brief", 4, idle_timeout=1e-4)
    for count in range(3000):
        assert workers.submit(int, count).result(10) == count
    for _ in range(300):
        for number, future in enumerate([workers.submit(int, number) for number in range(12)]):
            assert future.result(10) == number


def test_a_pool_works_after_it_had_more_tasks_than_threads_and_then_none() -> None:
    workers = Workers("rested", 2, idle_timeout=0.05)
    for _ in range(3):
        for future in [workers.submit(int) for _ in range(100)]:
            future.result(10)
        localmesh.wait_until(lambda: threads_named("rested") == 0, what="all of them have ended")


def test_health_services_leave_no_threads_behind() -> None:
    before = health_threads()
    for _ in range(3):
        running = Running("sync", None).start()
        assert running.health().check() == "SERVING"
        running.close()
        del running
    gc.collect()
    localmesh.wait_until(lambda: health_threads() <= before, what="the threads have ended")
