"""A request's context ends with the request: what outlives it acts on its own behalf."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests.calling.chain import (
    SHAPES,
    AsyncFront,
    AsyncWork,
    Metadata,
    SyncFront,
    Work,
    on_threads,
)
from tests.calling.echo import EchoAsyncStub, EchoStub
from tests.calling.mesh import Provider, Seen
from tests.grpc_features.servers import Make, served

REQUEST: Metadata = (("x-request-id", "first"), ("traceparent", "of the first"))
TIMEOUT = 5.0
"""Seconds, of the request. Nothing here waits for it to pass."""


@pytest.fixture(scope="module")
def back() -> Iterator[str]:
    with on_threads(Provider(), workers=8) as address:
        yield address


class PassesOn(grpc.ServerInterceptor):
    """With an interceptor a server of ours applies its outermost layer another way."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return continuation(handler_call_details)


class AsyncPassesOn(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return await continuation(handler_call_details)


SERVERS: dict[str, tuple[Make, tuple[Any, ...], tuple[Any, ...]]] = {
    "grpc's server": ("ours on grpc", (), ()),
    "our server": ("ours", (), ()),
    "our server, intercepted": ("ours", (PassesOn(),), (AsyncPassesOn(),)),
}
KINDS = ("sync", "aio", "sync on aio")


@contextmanager
def front(server: str, kind: str, work: Work, async_work: AsyncWork) -> Generator[EchoStub]:
    """A stub for a front on that server, which does `work` or `async_work` in each handler."""
    make, interceptors, async_interceptors = SERVERS[server]
    servicer = AsyncFront(async_work) if kind == "aio" else SyncFront(work)
    own = interceptors if kind == "sync" else async_interceptors
    with (
        served(make, "sync" if kind == "sync" else "aio", servicer, interceptors=own) as serving,
        serving.stub() as stub,
    ):
        yield stub


class Poller:
    """What the first request starts, and what goes on when that request has long been answered.

    It makes one call to `back` while the request is being served, and one each time it is told to.
    """

    def __init__(self, back: str) -> None:
        self._back = back
        self._tasks: list[asyncio.Task[None]] = []
        self._told: list[threading.Event] = [threading.Event(), threading.Event()]
        self.rounds: list[Future[tuple[object, Seen]]] = [Future(), Future()]

    def poll_on(self) -> None:
        """Lets the second round begin."""
        self._told[1].set()

    def first_round(self) -> StringValue:
        self.rounds[0].result(timeout=10)
        return StringValue()

    # The ways to start it, from a handler.

    def in_a_thread(self, run: Callable[[Callable[[], None]], Callable[[], None]]) -> StringValue:
        self._told[0].set()
        threading.Thread(target=run(self._poll), daemon=True).start()
        return self.first_round()

    async def in_a_task(self) -> StringValue:
        self._told[0].set()
        self._tasks.append(asyncio.create_task(self._poll_async()))
        await asyncio.wrap_future(self.rounds[0])
        return StringValue()

    def _poll(self) -> None:
        with EchoStub(target=self._back) as stub:
            for told, found in zip(self._told, self.rounds, strict=True):
                told.wait(10)
                found.set_result((dubbo_mesh.current_request(), Seen.of(stub.unary(StringValue()))))

    async def _poll_async(self) -> None:
        async with EchoAsyncStub(target=self._back) as stub:
            for told, found in zip(self._told, self.rounds, strict=True):
                await asyncio.to_thread(told.wait, 10)
                seen = Seen.of(await stub.unary(StringValue()))
                found.set_result((dubbo_mesh.current_request(), seen))


def bound(poll: Callable[[], None]) -> Callable[[], None]:
    return dubbo_mesh.bind_request(poll)


def with_a_copied_context(poll: Callable[[], None]) -> Callable[[], None]:
    """As asyncio.to_thread and OpenTelemetry's executors pass a context on to a thread."""
    context = contextvars.copy_context()
    return lambda: context.run(poll)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("ignoring", [False, True], ids=["", "ignoring the deadline"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("kind", "run"),
    [
        ("sync", bound),
        ("sync", with_a_copied_context),
        ("sync on aio", bound),
        ("aio", None),
    ],
)
def test_a_poller_acts_for_the_request_until_that_is_answered(
    server: str,
    kind: str,
    run: Callable[[Callable[[], None]], Callable[[], None]] | None,
    shape: str,
    ignoring: bool,
    back: str,
) -> None:
    poller = Poller(back)
    once = iter([True])  # streaming handlers work twice

    def bounds() -> ExitStack:
        stack = ExitStack()
        if ignoring:
            stack.enter_context(dubbo_mesh.ignore_deadline())
        return stack

    def work() -> StringValue:
        with bounds():
            return poller.in_a_thread(run) if run and next(once, False) else StringValue()

    async def async_work() -> StringValue:
        with bounds():
            return await poller.in_a_task() if next(once, False) else StringValue()

    with front(server, kind, work, async_work) as stub:
        assert SHAPES[shape](stub, {"metadata": REQUEST, "timeout": TIMEOUT})
        request, seen = poller.rounds[0].result(timeout=10)
        assert isinstance(request, dubbo_mesh.RequestContext)
        assert seen["x-request-id"] == "first"
        assert (seen.remaining is None) == ignoring

        poller.poll_on()
        request, seen = poller.rounds[1].result(timeout=10)
    assert request is None
    assert "x-request-id" not in seen
    assert "traceparent" not in seen
    assert seen.remaining is None


@contextmanager
def handling(server: str, kind: str, handle: Callable[[], None]) -> Generator[EchoStub]:
    """A front whose handlers call `handle`."""

    def work() -> StringValue:
        handle()
        return StringValue()

    async def async_work() -> StringValue:
        return work()

    with front(server, kind, work, async_work) as stub:
        yield stub


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_request_in_hand_keeps_what_it_says(server: str, kind: str) -> None:
    kept: list[dubbo_mesh.RequestContext] = []

    def handle() -> None:
        request = dubbo_mesh.current_request()
        assert request is not None
        kept.append(request)  # and nothing is read from it yet

    with handling(server, kind, handle) as stub:
        stub.unary(StringValue(), metadata=REQUEST, timeout=TIMEOUT)
    (request,) = kept
    assert request.request_id == "first"
    assert set(REQUEST) <= set(request.metadata)
    assert request.deadline is not None
    assert (request.time_remaining() or 0) < 60


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_handler_that_raises_ends_its_request_too(server: str, kind: str, shape: str) -> None:
    bound_to_it: list[Callable[[], dubbo_mesh.RequestContext | None]] = []

    def handle() -> None:
        bound_to_it.append(dubbo_mesh.bind_request(dubbo_mesh.current_request))
        assert bound_to_it[0]() is not None
        raise ArithmeticError

    with handling(server, kind, handle) as stub, pytest.raises(grpc.RpcError):
        SHAPES[shape](stub, {"metadata": REQUEST, "timeout": TIMEOUT})
    assert bound_to_it[0]() is None


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_its_caller_leaves_ends_its_request(server: str, kind: str) -> None:
    bound_to_it: list[Callable[[], dubbo_mesh.RequestContext | None]] = []

    def handle() -> None:
        bound_to_it.append(dubbo_mesh.bind_request(dubbo_mesh.current_request))

    with handling(server, kind, handle) as stub, ThreadPoolExecutor() as pool:
        requests = iter([StringValue(), StringValue()])
        over = threading.Event()

        def endless() -> Iterator[StringValue]:
            yield from requests
            over.wait(10)

        call = stub.bidi(endless(), metadata=REQUEST)
        next(call)
        assert pool.submit(bound_to_it[0]).result() is not None
        call.cancel()
        over.set()
        while bound_to_it[0]() is not None:  # the handler is closed when the server hears of it
            time.sleep(0.001)


@pytest.mark.parametrize("server", SERVERS)
def test_what_outlives_a_request_does_not_keep_grpcs_call_alive(server: str) -> None:
    contexts: list[weakref.ref[grpc.ServicerContext]] = []
    kept: list[object] = []

    class Handler(SyncFront):
        def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
            contexts.append(weakref.ref(context))
            kept.append(dubbo_mesh.current_request())
            kept.append(dubbo_mesh.bind_request(dubbo_mesh.current_request))
            with dubbo_mesh.ignore_deadline():
                kept.append(contextvars.copy_context())
            return StringValue()

    make, interceptors, _ = SERVERS[server]
    servicer = Handler(StringValue)
    with served(make, "sync", servicer, interceptors=interceptors) as serving, serving.stub() as stub:
        stub.unary(StringValue(), timeout=TIMEOUT)
        while contexts[0]() is not None:
            gc.collect()
            time.sleep(0.001)
