"""What a stub returns is grpc's own call, with a deadline too: each use beside plain grpcio's."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import localmesh
from dubbo_mesh._calling.calls import correct_error
from tests.calling.chain import KINDS, on_threads
from tests.calling.echo import EchoAsyncStub, EchoServicer, EchoStub
from tests.calling.mesh import Bench

DROPPED = 150
HOLD, FAIL = StringValue(value="hold"), StringValue(value="fail")
TIMEOUT = 60


class Counting(EchoServicer):
    """Holds streams open, and counts those that are; to FAIL it answers NOT_FOUND."""

    def __init__(self) -> None:
        self.open = 0
        self.begun = 0
        self._lock = threading.Lock()

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        if request == FAIL:
            context.abort(grpc.StatusCode.NOT_FOUND, "as asked")
        return request

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        if request == FAIL:
            context.abort(grpc.StatusCode.NOT_FOUND, "as asked")
        ended = threading.Event()
        context.add_callback(ended.set)
        self._count(1)
        try:
            yield request
            ended.wait()
        finally:  # grpc does not resume a handler whose call is cancelled before its response is sent
            self._count(-1)

    def _count(self, step: int) -> None:
        with self._lock:
            self.open += step
            self.begun += step > 0

    def wait_begun(self, number: int) -> None:
        localmesh.wait_until(lambda: self.begun == number, what=f"{number} streams have begun")

    def wait_cancelled(self) -> None:
        localmesh.wait_until(lambda: self.open == 0, what="no stream is left at the server")


@pytest.fixture
def provider() -> Counting:
    return Counting()


@pytest.fixture
def address(provider: Counting) -> Iterator[str]:
    with on_threads(provider, workers=DROPPED + 10) as address:
        yield address


class PlainStub:
    """What protoc's stub would be."""

    def __init__(self, channel: Any) -> None:
        types: Any = {
            "request_serializer": StringValue.SerializeToString,
            "response_deserializer": StringValue.FromString,
        }
        self.unary = channel.unary_unary("/test.Echo/unary", **types)
        self.serverStream = channel.unary_stream("/test.Echo/serverStream", **types)


@contextmanager
def sync_stub(kind: str, address: str) -> Generator[Any]:
    with grpc.insecure_channel(address) as channel:
        yield PlainStub(channel) if kind == "plain" else EchoStub(channel)


async def first(stream: Any) -> str:
    async for response in stream:
        return str(response.value)
    raise AssertionError("an empty stream")


both = pytest.mark.parametrize("kind", ["plain", "ours"])


class TestDroppedStreams:
    """A stream that its owner drops is cancelled, at once and not at its deadline."""

    @both
    @pytest.mark.parametrize("read", [False, True])
    def test_sync(self, kind: str, read: bool, address: str, provider: Counting) -> None:
        with sync_stub(kind, address) as stub:
            streams = [stub.serverStream(HOLD, timeout=TIMEOUT) for _ in range(DROPPED)]
            provider.wait_begun(DROPPED)
            if read:
                assert {next(stream).value for stream in streams} == {"hold"}
            streams.clear()
            provider.wait_cancelled()

    @pytest.mark.parametrize("read", [False, True])
    def test_aio(self, read: bool, address: str, provider: Counting) -> None:
        """grpc.aio itself holds on to a stream until it ends (by a callback): nothing else must."""

        async def held_by(stub: Any) -> list[str]:
            stream = stub.serverStream(HOLD, timeout=TIMEOUT)
            if read:
                assert await first(stream) == "hold"
            else:
                await asyncio.to_thread(provider.wait_begun, provider.begun + 1)
                await stream.wait_for_connection()  # the request's own coroutine has ended, too
            gc.collect()
            # Less the iterators, which refer to their call in a circle.
            holders = [type(each).__name__ for each in gc.get_referrers(stream)]
            stream.cancel()
            return sorted(name for name in holders if name != "async_generator")

        async def run() -> None:
            async with grpc.aio.insecure_channel(address) as channel:
                plain = await held_by(PlainStub(channel))
                assert await held_by(EchoAsyncStub(channel)) == plain

        asyncio.run(run())

    @pytest.mark.parametrize("kind", ["sync", "sync on aio"])
    def test_while_serving_a_request_with_a_deadline(
        self, kind: str, address: str, provider: Counting
    ) -> None:
        def work() -> StringValue:
            with EchoStub(target=address) as stub:
                streams = [stub.serverStream(HOLD) for _ in range(DROPPED)]
                provider.wait_begun(DROPPED)
                assert all(stream.time_remaining() <= TIMEOUT + 1 for stream in streams)
                del streams[:]
                provider.wait_cancelled()
            return StringValue()

        async def nothing() -> StringValue:
            raise NotImplementedError

        with KINDS[kind](work, nothing) as front, EchoStub(target=front) as stub:
            assert stub.unary(StringValue(), timeout=TIMEOUT) == StringValue()

    @both
    def test_a_callback_does_not_pin_a_call(self, kind: str, address: str) -> None:
        with sync_stub(kind, address) as stub:
            call = stub.unary.future(StringValue(), timeout=TIMEOUT)
            called = threading.Event()
            call.add_done_callback(lambda _: called.set())  # pyright: ignore[reportUnknownLambdaType]  # a call
            assert called.wait(10)
            reference = weakref.ref(call)
            del call
            localmesh.wait_until(lambda: reference() is None, what="the call is collected")


def future(stub: Any) -> Any:
    return stub.unary.future(FAIL, timeout=TIMEOUT)


def stream(stub: Any) -> Any:
    return stub.serverStream(FAIL, timeout=TIMEOUT)


def outcome(use: Callable[[Any], object], call: Any) -> str:
    """The result of one use of a call, without what differs from call to call."""
    try:
        text = repr(use(call))
    except Exception as error:  # noqa: BLE001 - whatever it is
        text = f"{type(error)}: {error}"
    return text.partition("debug_error_string")[0].partition(" object at ")[0]


def set_attribute(call: Any) -> object:
    call.mine = 1
    return call.mine


def str_of_type(value: Any) -> str:
    return str(value.__class__)


USES: dict[str, Callable[[Any], object]] = {
    "type": str_of_type,
    "isinstance": lambda call: [
        isinstance(call, kind) for kind in (grpc.RpcError, grpc.Call, grpc.Future, grpc.RpcContext)
    ],
    "str": str,
    "str of the error": lambda call: str(call.exception()),
    "code": lambda call: (call.code(), call.details()),
    "set an attribute": set_attribute,
    "copy": copy.copy,
    "pickle": pickle.dumps,
    "its own error": lambda call: call.exception() is call,
    "result": lambda call: call.result(),
    "the error's class": lambda call: str_of_type(call.exception()),
    "dir": lambda call: [name for name in dir(call) if not name.startswith("_")],
    "traceback": lambda call: call.traceback() is not None,
    "done": lambda call: (call.done(), call.running(), call.cancelled(), call.is_active()),
    "metadata": lambda call: (call.initial_metadata(), call.trailing_metadata()),
}


# What copy.copy leaves behind when it fails, with plain grpcio too.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("start", [future, stream])
@pytest.mark.parametrize("use", USES)
def test_a_call_is_used_as_grpcs(start: Callable[[Any], Any], use: str, address: str) -> None:
    outcomes: list[list[str]] = []
    for kind in ("plain", "ours"):
        with sync_stub(kind, address) as stub:
            call = start(stub)
            before = outcome(USES[use], call)  # of a call that may run
            call.code()
            outcomes.append([before, outcome(USES[use], call), str(type(call).__doc__)])
    assert outcomes[0][1:] == outcomes[1][1:]
    if use not in ("str", "done", "set an attribute"):
        assert outcomes[0] == outcomes[1]


async def async_unary(stub: Any) -> Any:
    return stub.unary(FAIL, timeout=TIMEOUT)


async def async_stream(stub: Any) -> Any:
    return stub.serverStream(FAIL, timeout=TIMEOUT)


ASYNC_USES: dict[str, Callable[[Any], object]] = {
    "type": type,
    "isinstance": lambda call: [
        isinstance(call, kind) for kind in (grpc.aio.Call, grpc.aio.UnaryUnaryCall, grpc.aio.UnaryStreamCall)
    ],
    "str": str,
    "set an attribute": set_attribute,
    "dir": lambda call: [name for name in dir(call) if not name.startswith("_")],
    "one iterator": lambda call: aiter(call) is aiter(call),
}


@pytest.mark.parametrize("start", [async_unary, async_stream])
@pytest.mark.parametrize("use", ASYNC_USES)
def test_an_async_call_is_used_as_grpcs(start: Callable[[Any], Any], use: str, address: str) -> None:
    async def run() -> list[list[str]]:
        outcomes: list[list[str]] = []
        async with grpc.aio.insecure_channel(address) as channel:
            for stub in (PlainStub(channel), EchoAsyncStub(channel)):
                call = await start(stub)
                code, details = await call.code(), await call.details()
                outcomes.append([outcome(ASYNC_USES[use], call), str(code), details])
        return outcomes

    plain, ours = asyncio.run(run())
    assert plain == ours


@both
def test_the_error_of_a_blocking_call_is_grpcs(kind: str, address: str) -> None:
    with sync_stub(kind, address) as stub, pytest.raises(grpc.RpcError) as raised:
        stub.unary(FAIL, timeout=TIMEOUT)
    error: Any = raised.value
    assert type(error).__name__ == "_InactiveRpcError"
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "as asked")
    assert error.__cause__ is None
    assert copy.copy(error).code() is grpc.StatusCode.NOT_FOUND


@both
def test_the_error_of_an_async_call_is_pickled(kind: str, address: str) -> None:
    async def run() -> Any:
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = PlainStub(channel) if kind == "plain" else EchoAsyncStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await stub.unary(FAIL, timeout=TIMEOUT)
            return raised.value

    error = pickle.loads(pickle.dumps(asyncio.run(run())))
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "as asked")


class TestACallThatEnvoyTimedOut:
    """Its error is grpc's own, and tells of the deadline in all that it tells."""

    @pytest.fixture(autouse=True)
    def envoy_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dubbo_mesh._calling.deadline._TOLERANCE", 0.2)

    def test_sync(self, bench: Bench) -> None:
        hang = StringValue(value="hang")
        with bench.stub(bench.strict, "early") as stub:
            call: Any = stub.unary.future(hang, timeout=0.3)
            assert "status = StatusCode.DEADLINE_EXCEEDED" in str(call.exception())
            assert call.exception() is call
            with pytest.raises(grpc.RpcError) as raised:
                stub.unary(hang, timeout=0.3)
            error: Any = raised.value
            assert type(error).__name__ == "_InactiveRpcError"
            for each in (error, copy.copy(error)):
                assert each.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                assert "status = StatusCode.DEADLINE_EXCEEDED" in repr(each)
                assert 'details = "Deadline Exceeded"' in str(each)
                assert "upstream request timeout" in each.debug_error_string()  # who it was in truth

    def test_aio(self, bench: Bench) -> None:
        async def run() -> None:
            async with bench.async_stub(bench.strict, "early") as stub:
                call: Any = stub.unary(StringValue(value="hang"), timeout=0.3)
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await call
                for shown in (repr(call), str(raised.value), str(pickle.loads(pickle.dumps(raised.value)))):
                    assert "StatusCode.DEADLINE_EXCEEDED" in shown
                    assert "Deadline Exceeded" in shown
                with pytest.raises(grpc.aio.AioRpcError) as again:
                    await call
                assert again.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                unseen: Any = stub.unary(StringValue(value="hang"), timeout=0.3)
                while not unseen.done():
                    await asyncio.sleep(0.01)
                assert "StatusCode.DEADLINE_EXCEEDED" in str(unseen)

        asyncio.run(run())


class DuckFuture:
    """A future that an interceptor made up."""

    def result(self, timeout: float | None = None) -> Any:
        raise LookupError("no such thing")

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        callback(self)


class MakingUp(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return DuckFuture()

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return iter([request])


def test_what_interceptors_make_up_is_returned_as_it_is(address: str) -> None:
    with EchoStub(target=address, interceptors=[MakingUp()]) as stub:
        made: Any = stub.unary.future(StringValue(), timeout=TIMEOUT)
        assert type(made) is DuckFuture
        with pytest.raises(LookupError):
            made.result()
        with pytest.raises(LookupError):
            stub.unary(StringValue(), timeout=TIMEOUT)
        made = stub.serverStream(StringValue(), timeout=TIMEOUT)
        assert type(made) is type(iter([0]))


def test_calls_of_many_threads_agree_about_their_end(bench: Bench) -> None:
    with bench.stub(bench.strict, "enforced") as stub, ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            call: Any = stub.unary.future(StringValue(value="hang"), timeout=0.1)
            looks = [pool.submit(call.code) for _ in range(8)]
            assert {look.result() for look in looks} == {grpc.StatusCode.DEADLINE_EXCEEDED}


class Elsewhere(grpc.RpcError):
    """An error as a release of grpc might have it that keeps the status elsewhere."""

    __module__ = "grpc._channel"


def test_a_status_that_grpc_keeps_elsewhere_stays_as_it_arrived() -> None:
    correct_error(Elsewhere(), deadline=0)
