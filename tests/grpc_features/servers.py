"""One servicer on servers of three makes: grpc's with protoc's code, grpc's with ours, and our own."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, cast

import grpc
import grpc.aio

import dubbo_mesh
import dubbo_mesh.aio
from tests.calling.chain import ended
from tests.calling.echo import ECHO, EchoStub
from tests.serving.conftest import LoopThread

Kind = Literal["sync", "aio"]
Make = Literal["protoc on grpc", "ours on grpc", "ours"]

KINDS: tuple[Kind, ...] = ("sync", "aio")
MAKES: tuple[Make, ...] = ("protoc on grpc", "ours on grpc", "ours")

_HANDLERS: dict[tuple[bool, bool], Any] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def add_as_protoc_does(servicer: Any, server: Any, service: dubbo_mesh.Service = ECHO) -> None:
    """What an `add_…_to_server` function of protoc's does."""
    handlers = {
        method.name: _HANDLERS[method.client_streaming, method.server_streaming](
            getattr(servicer, method.attribute),
            request_deserializer=method.request_type.FromString,
            response_serializer=method.response_type.SerializeToString,
        )
        for method in service.methods.values()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.name, handlers),))
    server.add_registered_method_handlers(service.name, handlers)


class Served:
    """A server that serves."""

    def __init__(self, server: Any, port: int, loop: LoopThread | None) -> None:
        self.server = server
        self.address = f"127.0.0.1:{port}"
        self.loop = loop

    @contextmanager
    def channel(self) -> Generator[Any]:
        with grpc.insecure_channel(self.address) as channel:
            yield cast("Any", channel)

    @contextmanager
    def stub(self) -> Generator[EchoStub]:
        with grpc.insecure_channel(self.address) as channel:
            yield EchoStub(channel)


@contextmanager
def served(
    make: Make, kind: Kind, servicer: Any, *, interceptors: Sequence[Any] = (), **settings: Any
) -> Generator[Served]:
    """Serves a servicer of `test.Echo`.

    Args:
        make: of the server, and of what adds the servicer to it.
        kind: of the server.
        servicer: sync or async.
        interceptors: of the kind of the server.
        **settings: of `dubbo_mesh.Server`, for servers of that make.
    """
    own: dict[str, Any] = {
        "address": "127.0.0.1:0",
        "probes": "off",
        "sidecar": "off",
        "drain": 0,
        "grace": 5,
        "interceptors": interceptors,
    } | settings
    with ExitStack() as stack:
        if kind == "sync":
            server: Any
            if make == "ours":
                server = dubbo_mesh.Server(servicer, **own)
                server.start()
                stack.callback(server.stop, None)
                yield Served(server, server.ports[0], None)
                return
            server = grpc.server(ThreadPoolExecutor(8), interceptors=list(interceptors))
            (add_as_protoc_does if make == "protoc on grpc" else add_as_we_do)(servicer, server)
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            stack.callback(server.stop, None)
            yield Served(server, port, None)
            return

        workers = ThreadPoolExecutor(8)

        async def start() -> tuple[Any, int]:
            if make == "ours":
                ours = dubbo_mesh.aio.Server(servicer, **own)
                await ours.start()
                return ours, ours.ports[0]
            plain: Any = grpc.aio.server(workers, interceptors=interceptors)
            (add_as_protoc_does if make == "protoc on grpc" else add_as_we_do)(servicer, plain)
            port = plain.add_insecure_port("127.0.0.1:0")
            await plain.start()
            return plain, port

        loop = LoopThread()
        stack.callback(loop.close)
        stack.callback(lambda: loop.run(ended(workers)))
        server, port = loop.run(start())
        stack.callback(lambda: loop.run(server.stop(None)))
        yield Served(server, port, loop)


def add_as_we_do(servicer: Any, server: Any) -> None:
    dubbo_mesh.add_servicer(servicer, server, ECHO)
