"""What travels from a request to the calls made while serving it, and what does not."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest import mock

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests.calling.chain import KINDS, SHAPES, THREADS, Metadata, front, on_aio, on_threads, seen_through
from tests.calling.echo import EchoAsyncServicer, EchoAsyncStub, EchoServicer, EchoStub
from tests.calling.mesh import Provider, Seen

TRACING = tuple(
    (name, f"value-of-{name}")
    for name in (
        "x-request-id",
        "traceparent",
        "tracestate",
        "baggage",
        "b3",
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-parentspanid",
        "x-b3-sampled",
        "x-b3-flags",
        "x-ot-span-context",
        "x-datadog-trace-id",
        "x-datadog-parent-id",
        "x-datadog-sampling-priority",
        "x-datadog-origin",
        "x-datadog-tags",
        "x-cloud-trace-context",
        "sw8",
        "sw8-correlation",
        "sw8-x",
        "x-amzn-trace-id",
    )
)
NOT_TO_TRAVEL = (
    ("authorization", "Bearer secret"),
    ("cookie", "session=secret"),
    ("x-tenant", "blue"),
    ("dubbo.tag", "gray"),
    ("x-forwarded-for", "10.0.0.1"),
    ("x-envoy-max-retries", "3"),
    ("tri-consumer-appname", "somebody"),
    ("key-bin", b"\0\1"),
)


@pytest.fixture(scope="module")
def back() -> Iterator[str]:
    with on_threads(Provider(), workers=16) as address:
        yield address


@contextmanager
def relaying(
    kind: str, back: str, metadata: Metadata | None = None, *, stream: bool = False
) -> Generator[EchoStub]:
    """A front whose handlers call `back` with this metadata of their own."""

    def work() -> StringValue:
        with EchoStub(target=back) as stub:
            if stream:
                return next(iter(stub.serverStream(StringValue(), metadata=metadata)))
            return stub.unary(StringValue(), metadata=metadata)

    async def async_work() -> StringValue:
        async with EchoAsyncStub(target=back) as stub:
            if stream:
                return await anext(aiter(stub.serverStream(StringValue(), metadata=metadata)))
            return await stub.unary(StringValue(), metadata=metadata)

    with front(kind, work, async_work) as stub:
        yield stub


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stream", [False, True], ids=["to unary", "to stream"])
def test_tracing_headers_travel_and_nothing_else(kind: str, shape: str, stream: bool, back: str) -> None:
    with relaying(kind, back, stream=stream) as stub:
        for seen in seen_through(stub, shape, (*TRACING, *NOT_TO_TRAVEL)):
            assert sorted(pair for pair in seen.headers if pair in TRACING) == sorted(TRACING)
            assert not [name for name, _ in NOT_TO_TRAVEL if name in seen]
            assert "secret" not in str(seen)


def test_without_a_request_nothing_is_carried(back: str) -> None:
    with EchoStub(target=back) as stub:
        seen = Seen.of(stub.unary(StringValue()))
    assert dubbo_mesh.current_request() is None
    assert not [name for name, _ in TRACING if name in seen]


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_caller_sets_wins(kind: str, back: str) -> None:
    own = (("x-request-id", "own"), ("x-b3-sampled", "1"), ("x-own", "too"))
    with relaying(kind, back, own) as stub:
        (seen,) = seen_through(stub, "unary", TRACING)
    assert [seen[name] for name, _ in own] == [value for _, value in own]
    assert seen["traceparent"] == "value-of-traceparent"


@pytest.mark.parametrize(
    ("name", "goes_with_it"),
    [
        ("traceparent", "tracestate"),
        ("x-b3-spanid", "x-b3-parentspanid"),
        ("x-datadog-trace-id", "x-datadog-tags"),
    ],
)
def test_what_says_more_of_a_header_the_caller_sets_stays(name: str, goes_with_it: str, back: str) -> None:
    with relaying("sync", back, ((name, "own"),)) as stub:
        (seen,) = seen_through(stub, "unary", TRACING)
    assert seen[name] == "own"
    assert goes_with_it not in seen


@pytest.mark.parametrize("kind", KINDS)
def test_extra_names_travel_when_the_environment_says_so(kind: str, back: str) -> None:
    with (
        mock.patch.dict(os.environ, {"DUBBO_MESH_CARRY": "X-Tenant, key-bin"}),
        relaying(kind, back) as stub,
    ):
        (seen,) = seen_through(stub, "unary", (*TRACING, *NOT_TO_TRAVEL))
    assert seen["x-tenant"] == "blue"
    assert seen["key-bin"] == str(b"\0\1")
    assert "authorization" not in seen


@pytest.mark.parametrize("name", ["authorization", "cookie", "user-agent", "Authorization"])
def test_some_names_cannot_be_made_to_travel(name: str) -> None:
    with (
        mock.patch.dict(os.environ, {"DUBBO_MESH_CARRY": name}),
        pytest.raises(dubbo_mesh.ConfigurationError, match="DUBBO_MESH_CARRY"),
    ):
        EchoStub(target="localhost:1")


class Handler(EchoServicer):
    """A unary handler that is one function."""

    def __init__(self, handle: Callable[[], str]) -> None:
        self._handle = handle

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return StringValue(value=self._handle())


class AsyncHandler(EchoAsyncServicer):
    """A unary handler that is one coroutine function."""

    def __init__(self, handle: Callable[[], Awaitable[str]]) -> None:
        self._handle = handle

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        return StringValue(value=await self._handle())


def request_id() -> str:
    request = dubbo_mesh.current_request()
    return "none" if request is None else str(request.request_id)


def ask(address: str, name: str = "r") -> str:
    with EchoStub(target=address) as stub:
        return stub.unary(StringValue(), metadata=(("x-request-id", name),), timeout=10).value


class TestThreadsOfTheHandlers:
    def test_bound_functions_have_the_request_and_others_do_not(self) -> None:
        with ThreadPoolExecutor(1) as pool:

            def handle() -> str:
                bound = pool.submit(dubbo_mesh.bind_request(request_id)).result()
                return f"{bound} {pool.submit(request_id).result()}"

            with on_threads(Handler(handle)) as address:
                assert ask(address) == "r none"

    def test_calls_of_bound_functions_carry_and_keep_to_the_deadline(self, back: str) -> None:
        with ThreadPoolExecutor(1) as pool, EchoStub(target=back) as stub:

            def handle() -> str:
                return pool.submit(dubbo_mesh.bind_request(stub.unary), StringValue()).result().value

            with on_threads(Handler(handle)) as address:
                seen = Seen.of(StringValue(value=ask(address)))
        assert seen["x-request-id"] == "r"
        assert 0 < (seen.remaining or 0) < 11

    def test_ignoring_the_deadline_is_bound_too(self, back: str) -> None:
        with ThreadPoolExecutor(1) as pool, EchoStub(target=back) as stub:

            def handle() -> str:
                with dubbo_mesh.ignore_deadline():
                    return pool.submit(dubbo_mesh.bind_request(stub.unary), StringValue()).result().value

            with on_threads(Handler(handle)) as address:
                assert Seen.of(StringValue(value=ask(address))).remaining is None

    def test_what_would_run_later_cannot_be_bound(self) -> None:
        async def coroutine() -> None: ...

        def generator() -> Iterator[None]:
            yield

        for function in (coroutine, generator):
            with pytest.raises(TypeError, match="plain function"):
                dubbo_mesh.bind_request(function)


class TestTasks:
    def test_tasks_and_threads_of_asyncio_have_the_request(self) -> None:
        async def one() -> str:
            await asyncio.sleep(0)
            return request_id()

        async def handle() -> str:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(one())
            gathered = await asyncio.gather(one(), one())
            return " ".join([task.result(), *gathered, await asyncio.to_thread(request_id)])

        with on_aio(AsyncHandler(handle)) as address:
            assert ask(address) == "r r r r"


class TestNoLeaks:
    def test_between_requests_on_few_threads(self, back: str) -> None:
        with EchoStub(target=back) as outbound:

            def handle() -> str:
                seen = Seen.of(outbound.unary(StringValue()))
                return f"{request_id()} {seen['x-request-id']}"

            with on_threads(Handler(handle)) as address, EchoStub(target=address) as stub:
                names = [f"request-{number}" for number in range(THREADS * 50)]
                calls = [
                    stub.unary.future(StringValue(), metadata=(("x-request-id", name),), timeout=30)
                    for name in names
                ]
                assert [call.result().value for call in calls] == [f"{name} {name}" for name in names]

    def test_between_requests_that_are_all_being_served_at_once(self, back: str) -> None:
        names = [f"request-{number}" for number in range(100)]
        everyone_is_here = asyncio.Barrier(len(names))

        async def handle() -> str:
            await everyone_is_here.wait()
            async with EchoAsyncStub(target=back) as stub:
                seen = Seen.of(await stub.unary(StringValue()))
            return f"{request_id()} {seen['x-request-id']}"

        with on_aio(AsyncHandler(handle)) as address, EchoStub(target=address) as stub:
            calls = [
                stub.unary.future(StringValue(), metadata=(("x-request-id", name),), timeout=30)
                for name in names
            ]
            assert [call.result().value for call in calls] == [f"{name} {name}" for name in names]

    def test_from_a_request_without_headers_after_one_with_them(self) -> None:
        with on_threads(Handler(request_id), workers=1) as address, EchoStub(target=address) as stub:
            assert ask(address) == "r"
            assert stub.unary(StringValue()).value == "None"

    def test_from_a_stream_that_was_left_to_code_that_is_none_of_ours(self) -> None:
        # On one thread: what the stream leaves behind would be found by the plain handler.
        class Endless(EchoServicer):
            def serverStream(
                self, request: StringValue, context: grpc.ServicerContext
            ) -> Iterator[StringValue]:
                while True:
                    yield StringValue(value=request_id())

        found: list[str] = []

        def plain(request: bytes, context: grpc.ServicerContext) -> bytes:
            found.append(request_id())
            return b""

        with ThreadPoolExecutor(1) as pool:
            server = grpc.server(pool)
            dubbo_mesh.add_servicer(Endless(), server, Endless.__mesh__)
            handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(plain)
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler("test.Plain", {"call": handler}),)
            )
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            address = f"127.0.0.1:{port}"
            with EchoStub(target=address) as stub, grpc.insecure_channel(address) as channel:
                stream = stub.serverStream(StringValue(), metadata=(("x-request-id", "r"),))
                assert next(stream).value == "r"
                stream.cancel()
                call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Plain/call")
                call(b"", timeout=10)
            server.stop(grace=0).wait()
        assert found == ["none"]

    def test_to_the_thread_that_collects_a_generator(self) -> None:
        closed: list[str] = []

        class Stream(EchoServicer):
            def serverStream(
                self, request: StringValue, context: grpc.ServicerContext
            ) -> Iterator[StringValue]:
                try:
                    yield StringValue()
                finally:
                    closed.append(request_id())

        first, second = FakeContext("first"), FakeContext("second")
        responses = handler_of(Stream(), "serverStream")(StringValue(), first)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(next, responses).result()

        def collect() -> str:
            responses.close()
            return request_id()

        unary = handler_of(Handler(collect), "unary")
        assert unary(StringValue(), second).value == "second"
        assert closed == ["first"]


class FakeContext:
    """As much of grpc's context as the wrappers ask."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("x-request-id", self._request_id),)

    def time_remaining(self) -> float | None:
        return None


def handler_of(servicer: EchoServicer, method: str) -> Callable[..., Any]:
    """The wrapped handler of one rpc, as a server is given it."""
    server = mock.create_autospec(grpc.Server)
    with mock.patch("dubbo_mesh._health.registration.board_of"):
        dubbo_mesh.add_servicer(servicer, server, servicer.__mesh__)
    (_, handlers), _ = server.add_registered_method_handlers.call_args
    handler = handlers[method]
    behavior: Callable[..., Any] = handler.unary_stream if handler.response_streaming else handler.unary_unary
    return behavior


class TestStreamingHandlers:
    def test_a_generator_has_its_request_to_its_very_end(self) -> None:
        found: list[str] = []
        over = threading.Event()

        class Endless(EchoServicer):
            def serverStream(
                self, request: StringValue, context: grpc.ServicerContext
            ) -> Iterator[StringValue]:
                try:
                    while True:
                        yield StringValue(value=request_id())
                finally:
                    found.append(request_id())
                    over.set()

        with on_threads(Endless()) as address, EchoStub(target=address) as stub:
            stream = stub.serverStream(StringValue(), metadata=(("x-request-id", "r"),))
            assert [next(stream).value, next(stream).value] == ["r", "r"]
            stream.cancel()
            assert over.wait(10)
        assert found == ["r"]

    def test_an_async_generator_has_its_request_when_it_is_cancelled(self) -> None:
        found: list[str] = []
        over = threading.Event()

        class Waiting(EchoAsyncServicer):
            async def serverStream(
                self, request: StringValue, context: dubbo_mesh.aio.ServicerContext
            ) -> AsyncIterator[StringValue]:
                yield StringValue(value=request_id())
                try:
                    await asyncio.Event().wait()
                finally:
                    found.append(request_id())
                    over.set()

        with on_aio(Waiting()) as address, EchoStub(target=address) as stub:
            stream = stub.serverStream(StringValue(), metadata=(("x-request-id", "r"),))
            assert next(stream).value == "r"
            stream.cancel()
            assert over.wait(10)
        assert found == ["r"]
