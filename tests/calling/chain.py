"""A front that calls a back while it serves: in every kind of handler, on every kind of server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests.calling.echo import EchoAsyncServicer, EchoServicer, EchoStub, add_EchoServicer_to_server
from tests.calling.mesh import Seen

Work: TypeAlias = Callable[[], StringValue]
AsyncWork: TypeAlias = Callable[[], Awaitable[StringValue]]
Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]
Servicer: TypeAlias = EchoServicer | EchoAsyncServicer

THREADS = 4


@contextmanager
def on_threads(servicer: EchoServicer, workers: int = THREADS) -> Generator[str]:
    """Serves on a `grpc.server` of a few threads; yields its address."""
    with ThreadPoolExecutor(workers) as pool:
        server = grpc.server(pool)
        add_EchoServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(grace=0).wait()


async def ended(workers: ThreadPoolExecutor) -> None:
    """Lets the threads of sync handlers end, which hand the ends of their streams to the running loop.

    grpc leaves a thread behind whose caller has left its stream; that one is not waited for.
    """
    threads = tuple(workers._threads)
    workers.shutdown(wait=False)
    patience = time.monotonic() + 1
    while any(thread.is_alive() for thread in threads) and time.monotonic() < patience:
        await asyncio.sleep(0.005)


@contextmanager
def on_aio(servicer: Servicer) -> Generator[str]:
    """Serves on a `grpc.aio.server` in an event loop on a thread of its own; yields its address."""
    started = threading.Event()
    address: list[str] = []
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve() -> None:
        workers = ThreadPoolExecutor(THREADS)
        server = grpc.aio.server(migration_thread_pool=workers)
        add_EchoServicer_to_server(servicer, server)
        address.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
        await server.start()
        started.set()
        await stopping.wait()
        await server.stop(grace=0)
        await ended(workers)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()


class SyncFront(EchoServicer):
    """Does `work` in handlers of all shapes."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return self._work()

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield self._work()
        yield self._work()

    def clientStream(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> StringValue:
        for _ in request_iterator:
            pass
        return self._work()

    def bidi(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> Iterator[StringValue]:
        for _ in request_iterator:
            yield self._work()


class AsyncFront(EchoAsyncServicer):
    """The same, for asyncio."""

    def __init__(self, work: AsyncWork) -> None:
        self._work = work

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        return await self._work()

    async def serverStream(
        self, request: StringValue, context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        yield await self._work()
        yield await self._work()

    async def clientStream(
        self, request_iterator: AsyncIterator[StringValue], context: dubbo_mesh.aio.ServicerContext
    ) -> StringValue:
        async for _ in request_iterator:
            pass
        return await self._work()

    async def bidi(
        self, request_iterator: AsyncIterator[StringValue], context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        async for _ in request_iterator:
            yield await self._work()


@contextmanager
def front(kind: str, work: Work, async_work: AsyncWork) -> Generator[EchoStub]:
    """A stub for a front of that kind (`KINDS`), which does `work` or `async_work` in each handler."""
    with KINDS[kind](work, async_work) as address, EchoStub(target=address) as stub:
        yield stub


KINDS: Mapping[str, Callable[[Work, AsyncWork], AbstractContextManager[str]]] = MappingProxyType(
    {
        "sync": lambda work, _: on_threads(SyncFront(work)),
        "aio": lambda _, work: on_aio(AsyncFront(work)),
        "sync on aio": lambda work, _: on_aio(SyncFront(work)),
    }
)

SHAPES: Mapping[str, Callable[[EchoStub, dict[str, Any]], list[StringValue]]] = MappingProxyType(
    {
        "unary": lambda stub, arguments: [stub.unary(StringValue(), **arguments)],
        "server stream": lambda stub, arguments: list(stub.serverStream(StringValue(), **arguments)),
        "client stream": lambda stub, arguments: [
            stub.clientStream(iter([StringValue(), StringValue()]), **arguments)
        ],
        "bidi": lambda stub, arguments: list(stub.bidi(iter([StringValue(), StringValue()]), **arguments)),
    }
)


def seen_through(
    stub: EchoStub, shape: str, metadata: Metadata = (), timeout: float | None = 10
) -> list[Seen]:
    """What the back saw of the calls that the front made, when it was called like this."""
    responses = SHAPES[shape](stub, {"metadata": metadata, "timeout": timeout})
    assert responses
    return [Seen.of(response) for response in responses]
