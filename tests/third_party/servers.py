"""One servicer on three kinds of servers, on threads and on asyncio: what is compared in this directory.

* `plain`: grpc's server, with handlers as protoc's `add_…_to_server` registers them;
* `added`: grpc's server, with our `add_…_to_server`;
* `ours`: `dubbo_mesh.Server`.

What a handler does stands in the request: `missing` raises an exception that maps to NOT_FOUND, `broken` a
LookupError, `abort` ends with FAILED_PRECONDITION; anything else is echoed. Streams do so after a response.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue
from grpc_interceptor.exceptions import NotFound

import dubbo_mesh
import dubbo_mesh.aio
from tests.calling.echo import ECHO, EchoAsyncServicer, EchoServicer, add_EchoServicer_to_server
from tests.serving.conftest import LoopThread

Server = Literal["plain", "added", "ours"]
SERVERS: tuple[Server, ...] = ("plain", "added", "ours")
KINDS = ("sync", "aio")
SHAPES = tuple(method.name for method in ECHO.methods.values())

SECRET = "the password is swordfish"


def obey(text: str) -> None:
    """Raises what a request asks for."""
    if text == "missing":
        raise NotFound("no such pet")
    if text == "broken":
        raise LookupError(SECRET)


class Pets(EchoServicer):
    """On threads."""

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        if request.value == "abort":
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now")
        obey(request.value)
        return request

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield request
        yield self.unary(request, context)

    def clientStream(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> StringValue:
        *_, last = request_iterator
        return self.unary(last, context)

    def bidi(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> Iterator[StringValue]:
        for request in request_iterator:
            yield from self.serverStream(request, context)


class AsyncPets(EchoAsyncServicer):
    """On asyncio."""

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        if request.value == "abort":
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now")
        obey(request.value)
        return request

    async def serverStream(
        self, request: StringValue, context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        yield request
        yield await self.unary(request, context)

    async def clientStream(
        self, request_iterator: AsyncIterator[StringValue], context: dubbo_mesh.aio.ServicerContext
    ) -> StringValue:
        last = StringValue()
        async for request in request_iterator:
            last = request
        return await self.unary(last, context)

    async def bidi(
        self, request_iterator: AsyncIterator[StringValue], context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        async for request in request_iterator:
            async for response in self.serverStream(request, context):
                yield response


def add_as_protoc_does(servicer: object, server: Any) -> None:
    """What protoc's `add_EchoServicer_to_server` would do."""
    makers: dict[tuple[bool, bool], Any] = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    handlers = {
        method.name: makers[method.client_streaming, method.server_streaming](
            getattr(servicer, method.attribute),
            request_deserializer=method.request_type.FromString,
            response_serializer=method.response_type.SerializeToString,
        )
        for method in ECHO.methods.values()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ECHO.name, handlers),))
    server.add_registered_method_handlers(ECHO.name, handlers)


_OURS: dict[str, Any] = {
    "address": "127.0.0.1:0",
    "sidecar": "off",
    "probes": "off",
    "drain": 0,
    "grace": 1,
}


@contextmanager
def serving(server: Server, kind: str, interceptors: Sequence[Any] = ()) -> Generator[str]:
    """Such a server; gives its address."""
    with _on_threads(server, interceptors) if kind == "sync" else _on_asyncio(server, interceptors) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def _on_threads(server: Server, interceptors: Sequence[Any]) -> Generator[int]:
    if server == "ours":
        with dubbo_mesh.Server(Pets(), interceptors=interceptors, **_OURS) as running:
            yield running.ports[0]
        return
    with ThreadPoolExecutor(8) as pool:
        its = grpc.server(pool, interceptors=list(interceptors))
        (add_as_protoc_does if server == "plain" else add_EchoServicer_to_server)(Pets(), its)
        port = its.add_insecure_port("127.0.0.1:0")
        its.start()
        yield port
        its.stop(grace=None).wait()


@contextmanager
def _on_asyncio(server: Server, interceptors: Sequence[Any]) -> Generator[int]:
    async def start() -> tuple[Any, int]:
        if server == "ours":
            running = dubbo_mesh.aio.Server(AsyncPets(), interceptors=interceptors, **_OURS)
            await running.start()
            return running, running.ports[0]
        its = grpc.aio.server(interceptors=list(interceptors))
        (add_as_protoc_does if server == "plain" else add_EchoServicer_to_server)(AsyncPets(), its)
        port = its.add_insecure_port("127.0.0.1:0")
        await its.start()
        return its, port

    loop = LoopThread()
    running, port = loop.run(start())
    try:
        yield port
    finally:
        loop.run(running.stop(None))
        loop.close()


def call(address: str, shape: str, text: str) -> tuple[list[str], grpc.StatusCode, str | None]:
    """Calls with grpc alone; returns the responses, and how the call ended."""
    method = ECHO.methods[shape]
    request: Any = StringValue(value=text)
    if method.client_streaming:
        request = iter([request])
    many = ("unary", "stream")
    with grpc.insecure_channel(address, (("grpc.use_local_subchannel_pool", 1),)) as channel:
        make: Any = getattr(channel, f"{many[method.client_streaming]}_{many[method.server_streaming]}")
        rpc = make(
            method.path,
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )
        responses: list[str] = []
        try:
            if method.server_streaming:
                responses.extend(response.value for response in rpc(request, timeout=20))
            else:
                responses.append(rpc(request, timeout=20).value)
        except grpc.RpcError as error:
            ended: Any = error
            return responses, ended.code(), ended.details()
    return responses, grpc.StatusCode.OK, ""
