"""What callers of our servers are told when a handler fails, and what the log is told."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.calling.echo import EchoAsyncServicer, EchoServicer, EchoStub
from tests.grpc_features.servers import MAKES, Kind, Make, Served, served

How = Literal["sync", "aio", "sync on aio"]
Status = tuple[grpc.StatusCode, str | None]

HOWS: tuple[How, ...] = ("sync", "aio", "sync on aio")
SHAPES: dict[str, Callable[[EchoStub, Any], Any]] = {
    "unary": lambda stub, one: stub.unary(one, timeout=10),
    "serverStream": lambda stub, one: list(stub.serverStream(one, timeout=10)),
    "clientStream": lambda stub, one: stub.clientStream(iter([one]), timeout=10),
    "bidi": lambda stub, one: list(stub.bidi(iter([one]), timeout=10)),
}
SECRET = "secret"
UNCAUGHT = (grpc.StatusCode.INTERNAL, "internal error: see the server's log")
ORDINARY = StringValue(value="ordinary")

hows = pytest.mark.parametrize("how", HOWS)
each_shape = pytest.mark.parametrize("shape", SHAPES)


class Failing(EchoServicer):
    """Does as it is told, in every method."""

    def __init__(self, fail: Callable[[Any], Any]) -> None:
        self.fail = fail

    def act(self, request: StringValue, context: Any) -> None:
        if request != ORDINARY:
            self.fail(context)

    def unary(self, request: StringValue, context: Any) -> StringValue:
        self.act(request, context)
        return request

    def serverStream(self, request: StringValue, context: Any) -> Iterator[StringValue]:
        self.act(request, context)
        yield request

    def clientStream(self, request_iterator: Iterator[StringValue], context: Any) -> StringValue:
        request = next(request_iterator)
        self.act(request, context)
        return request

    def bidi(self, request_iterator: Iterator[StringValue], context: Any) -> Iterator[StringValue]:
        for request in request_iterator:
            self.act(request, context)
            yield request


class AsyncFailing(EchoAsyncServicer):
    """The same on asyncio; what it is told to do may be awaitable."""

    def __init__(self, fail: Callable[[Any], Any]) -> None:
        self.fail = fail

    async def act(self, request: StringValue, context: Any) -> None:
        if request != ORDINARY:
            result = self.fail(context)
            if result is not None:
                await result

    async def unary(self, request: StringValue, context: Any) -> StringValue:
        await self.act(request, context)
        return request

    async def serverStream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        await self.act(request, context)
        yield request

    async def clientStream(self, request_iterator: Any, context: Any) -> StringValue:
        request: StringValue = await anext(request_iterator)
        await self.act(request, context)
        return request

    async def bidi(self, request_iterator: Any, context: Any) -> AsyncIterator[StringValue]:
        async for request in request_iterator:
            await self.act(request, context)
            yield request


def failing(how: How, fail: Callable[[Any], Any]) -> Any:
    """A server on which handlers do `fail(context)`."""
    servicer = AsyncFailing(fail) if how == "aio" else Failing(fail)
    return served("ours", "sync" if how == "sync" else "aio", servicer)


def status_of(server: Served, shape: str, request: Any = None) -> Status:
    with server.stub() as stub, pytest.raises(grpc.RpcError) as raised:
        SHAPES[shape](stub, StringValue() if request is None else request)
    return raised.value.code(), raised.value.details()


def assert_alive(server: Served) -> None:
    with server.stub() as stub:
        assert stub.unary(ORDINARY, timeout=10) == ORDINARY


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


@hows
@each_shape
class TestAStatusThatTheHandlerHasSet:
    """Stays, and what it has not set says nothing of the exception."""

    def test_of_code_only(self, how: How, shape: str) -> None:
        def fail(context: Any) -> None:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            raise KeyError(SECRET)

        with failing(how, fail) as server:
            assert status_of(server, shape) == (grpc.StatusCode.NOT_FOUND, "")

    def test_of_details_only(self, how: How, shape: str) -> None:
        def fail(context: Any) -> None:
            context.set_details("for you")
            raise KeyError(SECRET)

        with failing(how, fail) as server:
            assert status_of(server, shape) == (grpc.StatusCode.INTERNAL, "for you")

    def test_of_both(self, how: How, shape: str) -> None:
        def fail(context: Any) -> None:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            context.set_details("for you")
            raise KeyError(SECRET)

        with failing(how, fail) as server:
            assert status_of(server, shape) == (grpc.StatusCode.NOT_FOUND, "for you")

    def test_with_metadata(self, how: How, shape: str) -> None:
        def fail(context: Any) -> None:
            context.set_trailing_metadata((("own", "metadata"),))
            raise KeyError(SECRET)

        with failing(how, fail) as server, server.stub() as stub, pytest.raises(grpc.RpcError) as raised:
            SHAPES[shape](stub, StringValue())
        error: Any = raised.value
        assert tuple(error.trailing_metadata()) == (("own", "metadata"),)

    def test_of_ok_is_none(self, how: How, shape: str) -> None:
        def fail(context: Any) -> None:
            context.set_code(grpc.StatusCode.OK)
            raise KeyError(SECRET)

        with failing(how, fail) as server:
            assert status_of(server, shape) == UNCAUGHT


@hows
@each_shape
def test_abort_is_no_failure(how: How, shape: str, caplog: pytest.LogCaptureFixture) -> None:
    with failing(how, lambda context: context.abort(grpc.StatusCode.ABORTED, "as asked")) as server:
        assert status_of(server, shape) == (grpc.StatusCode.ABORTED, "as asked")
    assert errors(caplog) == []


@hows
@each_shape
@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), StopIteration()]
)
def test_whatever_is_raised_is_answered_and_the_server_lives(
    how: How, shape: str, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(context: Any) -> None:
        raise error()

    with failing(how, fail) as server:
        assert status_of(server, shape) == UNCAUGHT
        assert_alive(server)
    assert [record.name.partition(".")[0] for record in errors(caplog)] == ["dubbo_mesh"]


@each_shape
def test_the_cancellation_of_a_task_that_the_handler_awaits_is_a_failure(shape: str) -> None:
    async def fail(context: Any) -> None:
        inner = asyncio.ensure_future(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(inner.cancel)
        await inner

    with failing("aio", fail) as server:
        assert status_of(server, shape) == UNCAUGHT
        assert_alive(server)


@hows
@each_shape
def test_a_response_that_cannot_be_serialized_says_nothing_of_why(
    how: How, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Sync(EchoServicer):
        def unary(self, request: Any, context: Any) -> Any:
            return SECRET

        def serverStream(self, request: Any, context: Any) -> Any:
            yield SECRET

        clientStream: Any = unary
        bidi: Any = serverStream

    class Async(EchoAsyncServicer):
        async def unary(self, request: Any, context: Any) -> Any:
            return SECRET

        async def serverStream(self, request: Any, context: Any) -> AsyncIterator[Any]:
            yield SECRET

        clientStream: Any = unary
        bidi: Any = serverStream

    with served("ours", "sync" if how == "sync" else "aio", Async() if how == "aio" else Sync()) as server:
        code, details = status_of(server, shape)
    assert code is grpc.StatusCode.INTERNAL
    assert details in ("internal error: see the server's log", "Failed to serialize response!")
    assert errors(caplog)


@hows
@each_shape
def test_a_request_that_cannot_be_deserialized_is_an_internal_error(how: How, shape: str) -> None:
    """As grpc's own sync server has it; its async one would tell of the deserializer's exception."""
    with failing(how, lambda context: None) as server, server.channel() as channel:
        garbage = b"\xff\xff"
        call: Any = {
            "unary": lambda: channel.unary_unary("/test.Echo/unary")(garbage, timeout=10),
            "serverStream": lambda: list(
                channel.unary_stream("/test.Echo/serverStream")(garbage, timeout=10)
            ),
            "clientStream": lambda: channel.stream_unary("/test.Echo/clientStream")(
                iter([garbage]), timeout=10
            ),
            "bidi": lambda: list(channel.stream_stream("/test.Echo/bidi")(iter([garbage]), timeout=10)),
        }[shape]
        with pytest.raises(grpc.RpcError) as raised:
            call()
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert raised.value.details() in ("Exception deserializing request!", UNCAUGHT[1])


@hows
def test_a_request_id_forges_neither_log_lines_nor_headers(
    how: How, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(context: Any) -> None:
        raise KeyError(SECRET)

    with failing(how, fail) as server, server.stub() as stub:
        call = stub.unary.future(StringValue(), metadata=(("x-request-id", "7" * 7000),), timeout=10)
        assert call.code() is grpc.StatusCode.INTERNAL
        assert len(call.details()) < 250
    (record,) = errors(caplog)
    assert len(record.getMessage()) < 250


@pytest.mark.parametrize("how", ["sync", "aio"])
@pytest.mark.parametrize("shape", ["clientStream", "bidi"])
@pytest.mark.parametrize("end", ["cancelled", "timed out"])
def test_a_call_that_its_caller_ends_is_no_failure(
    how: Kind, shape: str, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    """grpc raises an exception of its own in a handler that waits for the next request."""
    started, ended = threading.Event(), threading.Event()

    class Sync(EchoServicer):
        def clientStream(self, request_iterator: Any, context: Any) -> StringValue:
            try:
                for _ in request_iterator:
                    started.set()
            finally:
                ended.set()
            return StringValue()

        def bidi(self, request_iterator: Any, context: Any) -> Any:
            yield self.clientStream(request_iterator, context)

    class Async(EchoAsyncServicer):
        async def clientStream(self, request_iterator: Any, context: Any) -> StringValue:
            try:
                async for _ in request_iterator:
                    started.set()
            finally:
                ended.set()
            return StringValue()

        async def bidi(self, request_iterator: Any, context: Any) -> AsyncIterator[StringValue]:
            yield await self.clientStream(request_iterator, context)

    asking = threading.Event()

    def requests() -> Iterator[StringValue]:
        yield StringValue()
        asking.wait(20)

    servicer = Sync() if how == "sync" else Async()
    with served("ours", how, servicer) as server, server.stub() as stub:
        timeout = 20 if end == "cancelled" else 0.3
        call: Any = (
            stub.bidi(requests(), timeout=timeout)
            if shape == "bidi"
            else stub.clientStream.future(requests(), timeout=timeout)
        )
        assert started.wait(10)
        if end == "cancelled":
            call.cancel()
        assert ended.wait(10)
        asking.set()
    assert errors(caplog) == []


@hows
def test_responses_need_no_more_than_next(how: How) -> None:
    """As grpc's sync server has it."""

    class Responses:
        def __init__(self) -> None:
            self.left = 2

        def __next__(self) -> StringValue:
            if self.left == 0:
                raise StopIteration
            self.left -= 1
            return StringValue(value="x")

    class Sync(EchoServicer):
        def serverStream(self, request: Any, context: Any) -> Any:
            return Responses()

    class Async(EchoAsyncServicer):
        def serverStream(self, request: Any, context: Any) -> Any:
            yield StringValue(value="x")  # a sync generator below an async base
            yield StringValue(value="x")

    servicer = Async() if how == "aio" else Sync()
    makes: tuple[Make, ...] = ("ours", "ours on grpc")
    for make in makes:
        with served(make, "sync" if how == "sync" else "aio", servicer) as server, server.stub() as stub:
            assert [each.value for each in stub.serverStream(StringValue(), timeout=10)] == ["x", "x"]


@pytest.mark.parametrize("make", ["ours", "ours on grpc"])
def test_a_plain_function_may_hand_out_an_async_iterator(make: Make) -> None:
    """As the generated base does it; grpc.aio alone would not take it."""

    class Responses:
        def __init__(self) -> None:
            self.left = 2

        def __aiter__(self) -> Responses:
            return self

        async def __anext__(self) -> StringValue:
            if self.left == 0:
                raise StopAsyncIteration
            self.left -= 1
            return StringValue(value="x")

    class Async(EchoAsyncServicer):
        def serverStream(self, request: Any, context: Any) -> Any:
            return Responses()

        def bidi(self, request_iterator: Any, context: Any) -> Any:
            return request_iterator

    with served(make, "aio", Async()) as server, server.stub() as stub:
        assert [each.value for each in stub.serverStream(StringValue(), timeout=10)] == ["x", "x"]
        assert len(list(stub.bidi(iter([StringValue()] * 3), timeout=10))) == 3


@hows
def test_a_code_without_an_exception_stays_too(how: How) -> None:
    def fail(context: Any) -> None:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("for you")

    with failing(how, fail) as server:
        for shape in SHAPES:
            assert status_of(server, shape) == (grpc.StatusCode.NOT_FOUND, "for you")


@pytest.mark.parametrize("make", MAKES)
@hows
@pytest.mark.parametrize("shape", ["unary", "clientStream"])
def test_with_a_code_no_response_is_needed(make: Make, how: How, shape: str) -> None:
    class Sync(EchoServicer):
        def unary(self, request: Any, context: Any) -> Any:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            context.set_details("for you")

        clientStream: Any = unary

    class Async(EchoAsyncServicer):
        async def unary(self, request: Any, context: Any) -> Any:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            context.set_details("for you")

        clientStream: Any = unary

    servicer = Async() if how == "aio" else Sync()
    with served(make, "sync" if how == "sync" else "aio", servicer) as server:
        assert status_of(server, shape) == (grpc.StatusCode.NOT_FOUND, "for you")
