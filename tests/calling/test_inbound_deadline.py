"""Calls made while serving end at the request's deadline at the latest, unless told otherwise."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh._context.request import Serving, serving
from tests.calling import ways
from tests.calling.chain import KINDS, SHAPES, front, on_threads, seen_through
from tests.calling.echo import EchoAsyncStub, EchoServicer, EchoStub
from tests.calling.mesh import Provider, Seen

TIMEOUT_HEADER = "x-envoy-upstream-rq-timeout-ms"
SLACK = 0.1  # what Envoy gets on top, in seconds
ROUNDING = 1.01  # grpc rounds grpc-timeout up, each time it is sent: to 10 ms at 5 s, to 1 s at 500 s


@pytest.fixture(scope="module")
def back() -> Iterator[str]:
    with on_threads(Provider(), workers=8) as address:
        yield address


@contextmanager
def calling(
    kind: str, back: str, *, stream: bool = False, ignoring: bool = False, **arguments: Any
) -> Generator[EchoStub]:
    """A front whose handlers call `back` like this."""
    if ignoring:
        bounds = dubbo_mesh.ignore_deadline
    else:

        @contextmanager
        def bounds() -> Generator[None]:
            yield

    def work() -> StringValue:
        with EchoStub(target=back) as stub, bounds():
            if stream:
                (response,) = stub.serverStream(StringValue(), **arguments)
                return response
            return stub.unary(StringValue(), **arguments)

    async def async_work() -> StringValue:
        async with EchoAsyncStub(target=back) as stub:
            with bounds():
                if stream:
                    (response,) = [each async for each in stub.serverStream(StringValue(), **arguments)]
                    return response
                return await stub.unary(StringValue(), **arguments)

    with front(kind, work, async_work) as stub:
        yield stub


def assert_bounded(seen: Seen, seconds: float) -> None:
    assert seen.remaining is not None
    assert 0 < seen.remaining <= seconds * ROUNDING
    assert 0 < int(seen[TIMEOUT_HEADER]) <= (seconds * ROUNDING + SLACK) * 1000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_calls_do_not_outlive_the_request(kind: str, shape: str, back: str) -> None:
    with calling(kind, back) as stub:
        for seen in seen_through(stub, shape, timeout=5):
            assert_bounded(seen, 5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("timeout", "bound"),
    [(200.0, 200.0), (2000.0, 500.0)],
    ids=["a shorter one stands", "a longer one is cut"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_calls_own_timeout_counts_too(
    kind: str, timeout: float, bound: float, stream: bool, back: str
) -> None:
    with calling(kind, back, timeout=timeout, stream=stream) as stub:
        (seen,) = seen_through(stub, "unary", timeout=500)
    assert_bounded(seen, bound)
    assert (seen.remaining or 0) > bound / 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_request_without_a_deadline_sets_none(kind: str, stream: bool, back: str) -> None:
    with calling(kind, back, stream=stream) as stub:
        (seen,) = seen_through(stub, "unary", timeout=None)
    assert seen.remaining is None
    assert seen.all(TIMEOUT_HEADER) == (["0"] if stream else [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("timeout", [None, 2000.0])
def test_ignoring_the_deadline_leaves_the_calls_own(kind: str, timeout: float | None, back: str) -> None:
    with calling(kind, back, ignoring=True, timeout=timeout) as stub:
        (seen,) = seen_through(stub, "unary", (("x-request-id", "r"),), timeout=500)
    if timeout is None:
        assert seen.remaining is None
    else:
        assert (seen.remaining or 0) > 1000
    assert seen["x-request-id"] == "r"  # the tracing headers travel all the same


def test_ignoring_outlasts_a_yield_in_a_streaming_handler(back: str) -> None:
    class Streaming(Provider):
        def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
            with EchoStub(target=back) as stub:
                with dubbo_mesh.ignore_deadline():
                    yield stub.unary(StringValue())
                    yield stub.unary(StringValue())
                yield stub.unary(StringValue())

    with on_threads(Streaming()) as address, EchoStub(target=address) as stub:
        remaining = [Seen.of(each).remaining for each in stub.serverStream(StringValue(), timeout=5)]
    assert remaining[:2] == [None, None]
    assert remaining[2] is not None


CALLS = 60


class Counting(EchoServicer):
    """Counts what it runs."""

    def __init__(self) -> None:
        self.ran = 0

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        self.ran += 1
        return request

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        self.ran += 1
        yield request

    def clientStream(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> StringValue:
        self.ran += 1
        return StringValue()

    def bidi(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> Iterator[StringValue]:
        self.ran += 1
        yield StringValue()


def one() -> Iterator[StringValue]:
    yield StringValue()


LATE_CALLS: dict[str, Callable[[EchoStub], Any]] = {
    "unary": lambda stub: stub.unary(StringValue()),
    "with_call": lambda stub: stub.unary.with_call(StringValue(), timeout=5),
    "future": lambda stub: stub.unary.future(StringValue()).result(),
    "stream": lambda stub: list(stub.serverStream(StringValue(), timeout=5)),
    "client stream": lambda stub: stub.clientStream(one()),
    "bidi": lambda stub: list(stub.bidi(one())),
}


async def _responses(call: Any) -> list[Any]:
    return [each async for each in call]


ASYNC_LATE_CALLS: dict[str, Callable[[EchoAsyncStub], Awaitable[Any]]] = {
    "unary": lambda stub: stub.unary(StringValue()),
    "stream": lambda stub: _responses(stub.serverStream(StringValue(), timeout=5)),
    "client stream": lambda stub: stub.clientStream(one()),
    "bidi": lambda stub: _responses(stub.bidi(one())),
}


@contextmanager
def expired() -> Generator[None]:
    """As in a handler whose request's deadline has passed."""

    class Request:
        def invocation_metadata(self) -> tuple[()]:
            return ()

        def time_remaining(self) -> float:
            return 0.0

    before = serving.set(Serving(Request()))
    try:
        yield
    finally:
        serving.reset(before)


@pytest.mark.parametrize("shape", LATE_CALLS)
def test_a_call_after_the_deadline_is_not_sent(shape: str) -> None:
    counting = Counting()
    with on_threads(counting) as address, EchoStub(target=address) as stub:
        stub.unary(StringValue())  # connected: what is sent arrives
        with expired():
            for _ in range(CALLS):
                with pytest.raises(grpc.RpcError) as raised:
                    LATE_CALLS[shape](stub)
                assert ways.ending_of(raised.value)[0] is grpc.StatusCode.DEADLINE_EXCEEDED
        stub.unary(StringValue())
    assert counting.ran == 2


@pytest.mark.parametrize("shape", ASYNC_LATE_CALLS)
def test_an_async_call_after_the_deadline_is_not_sent(shape: str) -> None:
    counting = Counting()

    async def run() -> None:
        async with EchoAsyncStub(target=address) as stub:
            await stub.unary(StringValue())
            with expired():
                for _ in range(CALLS):
                    with pytest.raises(grpc.aio.AioRpcError) as raised:
                        await ASYNC_LATE_CALLS[shape](stub)
                    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            await stub.unary(StringValue())

    with on_threads(counting) as address:
        asyncio.run(run())
    assert counting.ran == 2


def test_after_the_deadline_calls_fail_at_once(back: str) -> None:
    codes: list[grpc.StatusCode] = []

    class Late(Provider):
        def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
            self._answer("hang", context)  # until the caller gives up
            with EchoStub(target=back) as stub:
                error: Any = stub.unary.future(StringValue(value="hang")).exception()
                codes.append(error.code())
            return StringValue()

    with on_threads(Late()) as address, EchoStub(target=address) as stub:
        assert stub.unary.future(StringValue(), timeout=0.2).exception() is not None
    assert codes == [grpc.StatusCode.DEADLINE_EXCEEDED]


@contextmanager
def clock_set_by(seconds: float) -> Generator[None]:
    """The system's clock, set forward or back."""
    actual = time.time
    with mock.patch.object(time, "time", side_effect=lambda: actual() + seconds):
        yield


class Recorder(grpc.UnaryUnaryClientInterceptor):
    """Notes the timeout that grpc is given, and does not make the call."""

    def __init__(self) -> None:
        self.timeouts: list[float | None] = []

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self.timeouts.append(client_call_details.timeout)
        raise NotCalledError


class AsyncRecorder(grpc.aio.UnaryUnaryClientInterceptor):
    """The same, for asyncio."""

    def __init__(self) -> None:
        self.timeouts: list[float | None] = []

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self.timeouts.append(client_call_details.timeout)
        raise NotCalledError


class NotCalledError(Exception):
    """Raised in place of the call."""


@pytest.mark.parametrize("seconds", [3600.0, -3600.0], ids=["forward", "back"])
@pytest.mark.parametrize("kind", KINDS)
def test_setting_the_clock_does_not_move_the_deadline(kind: str, seconds: float, back: str) -> None:
    sync_recorder, async_recorder = Recorder(), AsyncRecorder()
    found: list[tuple[float | None, float | None]] = []

    def look() -> None:
        request = dubbo_mesh.current_request()
        assert request is not None
        before = request.deadline
        with clock_set_by(seconds):
            found.append((request.time_remaining(), request.time_remaining()))
            assert request.deadline == before

    def work() -> StringValue:
        look()
        with grpc.insecure_channel(back) as channel:
            stub = EchoStub(grpc.intercept_channel(channel, sync_recorder))
            with clock_set_by(seconds), pytest.raises(NotCalledError):
                stub.unary(StringValue())
        return StringValue()

    async def async_work() -> StringValue:
        look()
        async with grpc.aio.insecure_channel(back, interceptors=[async_recorder]) as channel:
            with clock_set_by(seconds), pytest.raises(NotCalledError):
                await EchoAsyncStub(channel).unary(StringValue())
        return StringValue()

    with front(kind, work, async_work) as stub:
        stub.unary(StringValue(), timeout=10)
    timeouts = (async_recorder if kind == "aio" else sync_recorder).timeouts
    for left in (*found[0], *timeouts):
        assert left is not None
        assert 0 < left < 60
