"""What a generated stub adds to a call of plain grpcio's, and a generated servicer to a plain handler."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
from benchmarks.measuring import Comparison, Row, Run, compare, python, row
from dubbo_mesh._context.request import Serving, serving

PATH = "/bench.Echo/call"
PLAIN_PATH = "/bench.Plain/call"
STREAM_PATH = "/bench.Echo/stream"
ECHO = dubbo_mesh.Service(
    "bench.Echo",
    dubbo_mesh.Method(PATH, StringValue, StringValue),
    dubbo_mesh.Method(STREAM_PATH, StringValue, StringValue, server_streaming=True),
    app="echo",
)
MESSAGE = StringValue(value="hello")

SIX_HEADERS = dubbo_mesh.EnvoyHeaders(
    timeout=5,
    per_try_timeout=1,
    max_retries=2,
    retry_on=("reset", "refused-stream"),
    retry_grpc_on=("unavailable",),
    upstream_alt_stat_name="bench",
)
BY_HAND = tuple(
    ("x-envoy-upstream-rq-timeout-ms", "5100") if key == "x-envoy-upstream-rq-timeout-ms" else (key, value)
    for key, value in SIX_HEADERS.to_metadata()
)
TRACING = (
    ("x-request-id", "7b0cd1de-55f5-46d5-9a1c-bb2ab1a3a4f7"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
)

CALLS = 64  # one after the other, or at once
ROUNDS = 600
MESSAGES = 2000  # of a stream
ROUNDS_OF_STREAMS = 30
SERVERS = 12
ROUNDS_OF_A_SERVER = 20
OWN: Any = {"address": "127.0.0.1:0", "probes": "off", "sidecar": "off"}


class EchoStub(dubbo_mesh.Stub["EchoAsyncStub"]):
    __mesh__ = ECHO
    call: dubbo_mesh.UnaryUnary[StringValue, StringValue]
    stream: dubbo_mesh.UnaryStream[StringValue, StringValue]


class EchoAsyncStub(dubbo_mesh.aio.Stub, twin=EchoStub):
    __mesh__ = ECHO
    call: dubbo_mesh.aio.UnaryUnary[StringValue, StringValue]
    stream: dubbo_mesh.aio.UnaryStream[StringValue, StringValue]


class Echo(dubbo_mesh.Servicer):
    __mesh__ = ECHO

    def call(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return request

    def stream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        return itertools.repeat(request, MESSAGES)


class AsyncEcho(dubbo_mesh.aio.Servicer):
    __mesh__ = ECHO

    async def call(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        return request

    async def stream(
        self, request: StringValue, context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        for _ in range(MESSAGES):
            yield request


class Inbound:
    """A request being served, as grpc's context tells of it."""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return TRACING

    def time_remaining(self) -> None:
        return None


class AddsMetadata(grpc.UnaryUnaryClientInterceptor):
    """The six headers, the way that a library without generated code would add them."""

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        metadata = (*(client_call_details.metadata or ()), *BY_HAND)
        return continuation(client_call_details._replace(metadata=metadata), request)


class AddsMetadataAsync(grpc.aio.UnaryUnaryClientInterceptor):
    """Its twin."""

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*BY_HAND)
        return await continuation(client_call_details._replace(metadata=metadata), request)


class SetsContext(grpc.ServerInterceptor):
    """The request's context, the way that a library without generated code would provide it."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)

        def handle(request: Any, context: Any) -> Any:
            token = serving.set(Serving(context))
            try:
                return handler.unary_unary(request, context)
            finally:
                serving.reset(token)

        return grpc.unary_unary_rpc_method_handler(
            handle, handler.request_deserializer, handler.response_serializer
        )


def plain_handlers(behavior: Callable[..., Any]) -> dict[str, Any]:
    return {
        "call": grpc.unary_unary_rpc_method_handler(
            behavior, StringValue.FromString, StringValue.SerializeToString
        )
    }


def register_plain(server: Any, behavior: Callable[..., Any]) -> None:
    """As protoc's generated code does."""
    handlers = plain_handlers(behavior)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Plain", handlers),))
    server.add_registered_method_handlers("bench.Plain", handlers)


def serve(kind: str) -> None:
    """The other end, as a process of its own: prints its port, and ends with its standard input.

    It serves our handlers and plain ones side by side: two processes of the same program may differ by a
    quarter in what they take for a call.
    """
    if kind in ("aio", "own aio"):
        asyncio.run(serve_async(kind))
        return
    if kind == "own":
        with dubbo_mesh.Server(Echo(), max_workers=4, **OWN) as own:
            print(own.ports[0], flush=True)
            sys.stdin.read()
        return
    interceptors: list[grpc.ServerInterceptor] = [SetsContext()] if kind == "interceptor" else []
    server = grpc.server(ThreadPoolExecutor(4), interceptors=interceptors)
    dubbo_mesh.add_servicer(Echo(), server, ECHO)
    register_plain(server, Echo().call)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


async def serve_async(kind: str) -> None:
    if kind == "own aio":
        async with dubbo_mesh.aio.Server(AsyncEcho(), **OWN) as own:
            print(own.ports[0], flush=True)
            await asyncio.to_thread(sys.stdin.read)
        return
    server = grpc.aio.server()
    dubbo_mesh.add_servicer(AsyncEcho(), server, ECHO)
    register_plain(server, AsyncEcho().call)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


@contextmanager
def provider(kind: str) -> Generator[tuple[str, int]]:
    """The address and the process id of a server of that kind."""
    command = python("-m", "benchmarks.calls", "serve", kind)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"127.0.0.1:{int(process.stdout.readline())}", process.pid
    finally:
        process.communicate()


def cpu_of(pid: int) -> float:
    """CPU seconds that the threads of a process have taken so far."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def plain_call(channel: Any, path: str = PLAIN_PATH) -> Any:
    return channel.unary_unary(
        path, StringValue.SerializeToString, StringValue.FromString, _registered_method=True
    )


def repeatedly(call: Callable[..., Any], **arguments: Any) -> Run:
    def run() -> None:
        for _ in range(CALLS):
            call(MESSAGE, **arguments)

    return run


def concurrently(call: Any, **arguments: Any) -> Run:
    def run() -> None:
        for future in [call.future(MESSAGE, **arguments) for _ in range(CALLS)]:
            future.result()

    return run


def repeatedly_async(call: Callable[..., Any], **arguments: Any) -> Run:
    async def run() -> None:
        for _ in range(CALLS):
            await call(MESSAGE, **arguments)

    return run


def concurrently_async(call: Callable[..., Any], **arguments: Any) -> Run:
    async def run() -> None:
        await asyncio.gather(*[call(MESSAGE, **arguments) for _ in range(CALLS)])

    return run


def while_serving(run: Run) -> Run:
    """`run`, done while a request with tracing headers is being served."""
    mark = Serving(Inbound())

    def run_within() -> Coroutine[Any, Any, None] | None:
        context = copy_context()
        context.run(serving.set, mark)
        waiting = context.run(run)
        return None if waiting is None else in_task(waiting, context)

    async def in_task(waiting: Coroutine[Any, Any, None], context: Context) -> None:
        await asyncio.create_task(waiting, context=context)

    return run_within


def clients(
    kind: str,
    channel: Any,
    intercepted: Any,
    stub: Callable[..., Any],
    repeatedly: Callable[..., Run],
    concurrently: Callable[..., Run],
) -> list[Comparison]:
    """What our stub's calls are compared with: plain ones, given the same timeout and headers by hand."""
    plain, again = plain_call(channel), plain_call(channel)
    bare, six = stub(channel).call, stub(channel, envoy=SIX_HEADERS).call
    by_hand = {"timeout": 5.0, "metadata": BY_HAND}
    one = repeatedly(plain)
    one_by_hand = repeatedly(plain, **by_hand)
    many_by_hand = concurrently(plain, **by_hand)
    carried_by_hand = repeatedly(plain, timeout=5.0, metadata=BY_HAND + TRACING)
    return [
        Comparison(f"({kind} call, plain against plain)", one, repeatedly(again)),
        Comparison(f"{kind} call, no headers", one, repeatedly(bare), 1.02),
        Comparison(
            f"({kind} call, six headers, plain against plain)", one_by_hand, repeatedly(again, **by_hand)
        ),
        Comparison(f"{kind} call, six headers", one_by_hand, repeatedly(six), 1.02),
        Comparison(
            f"{kind} call, six headers, a timeout with each call",
            one_by_hand,
            repeatedly(six, timeout=4.0),
            1.02,
        ),
        Comparison(
            f"({kind} call, 64 at once, plain against plain)", many_by_hand, concurrently(again, **by_hand)
        ),
        Comparison(f"{kind} call, 64 at once, six headers", many_by_hand, concurrently(six), 1.02),
        Comparison(
            f"{kind} call, six headers, two carried", carried_by_hand, while_serving(repeatedly(six)), 1.05
        ),
        Comparison(
            f"({kind} call, six headers by an interceptor)",
            one_by_hand,
            repeatedly(plain_call(intercepted), timeout=5.0),
        ),
    ]


def plain_stream(channel: Any) -> Any:
    return channel.unary_stream(
        STREAM_PATH, StringValue.SerializeToString, StringValue.FromString, _registered_method=True
    )


def reading(call: Callable[..., Any]) -> Run:
    def run() -> None:
        for _ in call(MESSAGE, timeout=60):
            pass

    return run


def reading_async(call: Callable[..., Any]) -> Run:
    async def run() -> None:
        async for _ in call(MESSAGE, timeout=60):
            pass

    return run


async def measure_streams(address: str) -> list[Row]:
    """CPU that a client takes for each message of a server stream, in calls with a deadline."""
    with (
        grpc.insecure_channel(address) as channel,
        EchoStub(target=address, single_threaded_streams=True) as single,
    ):
        plain = reading(plain_stream(channel))
        again, ours = reading(plain_stream(channel)), reading(EchoStub(channel).stream)
        compared = [
            Comparison("(sync stream, a message, plain against plain)", plain, again),
            Comparison("sync stream, a message", plain, ours, 1.02),
            Comparison("sync stream, a message, single_threaded_streams", plain, reading(single.stream)),
        ]
        return await compare(compared, ROUNDS_OF_STREAMS, 1e6 / MESSAGES, "µs")


async def measure_async_streams(address: str) -> list[Row]:
    """The same, for asyncio."""
    async with grpc.aio.insecure_channel(address) as channel:
        plain = reading_async(plain_stream(channel))
        again, ours = reading_async(plain_stream(channel)), reading_async(EchoAsyncStub(channel).stream)
        compared = [
            Comparison("(aio stream, a message, plain against plain)", plain, again),
            Comparison("aio stream, a message", plain, ours, 1.02),
        ]
        return await compare(compared, ROUNDS_OF_STREAMS, 1e6 / MESSAGES, "µs")


async def measure_sync(address: str) -> list[Row]:
    with grpc.insecure_channel(address) as channel:
        intercepted = grpc.intercept_channel(channel, AddsMetadata())
        compared = clients("sync", channel, intercepted, EchoStub, repeatedly, concurrently)
        return await compare(compared, ROUNDS, 1e6 / CALLS, "µs")


async def measure_async(address: str) -> list[Row]:
    intercepted = grpc.aio.insecure_channel(address, interceptors=[AddsMetadataAsync()])
    async with grpc.aio.insecure_channel(address) as channel, intercepted:
        compared = clients("aio", channel, intercepted, EchoAsyncStub, repeatedly_async, concurrently_async)
        return await compare(compared, ROUNDS, 1e6 / CALLS, "µs")


async def measure_server(kind: str) -> list[Row]:
    """CPU that a server takes for calls of its plain handler and of ours."""
    with provider(kind) as (address, pid), grpc.insecure_channel(address) as channel:
        plain, again, ours = plain_call(channel), plain_call(channel), plain_call(channel, PATH)
        one, many = repeatedly(plain), concurrently(plain)
        compared = [
            Comparison(f"(server, {kind} handler, plain against plain)", one, repeatedly(again)),
            Comparison(f"server, {kind} handler", one, repeatedly(ours), 1.03),
            Comparison(
                f"(server, {kind} handler, 64 at once, plain against plain)", many, concurrently(again)
            ),
            Comparison(f"server, {kind} handler, 64 at once", many, concurrently(ours), 1.03),
        ]
        return await compare(compared, ROUNDS, 1e6 / CALLS, "µs", lambda: cpu_of(pid))


def measure_servers(name: str, baseline: str, kind: str, path: str = PLAIN_PATH) -> Row:
    """CPU that servers of one kind take, relative to a baseline that serves plain handlers.

    Each server is started anew for each pair: no process can be both.
    """
    pairs: list[tuple[float, float]] = []
    for _ in range(SERVERS):
        taken: list[float] = []
        for each, called in ((baseline, PLAIN_PATH), (kind, path)):
            with provider(each) as (address, pid), grpc.insecure_channel(address) as channel:
                run = repeatedly(plain_call(channel, called))
                run()
                before = cpu_of(pid)
                for _ in range(ROUNDS_OF_A_SERVER):
                    run()
                taken.append(cpu_of(pid) - before)
        pairs.append((taken[0], taken[1]))
    return row(name, pairs, 1e6 / CALLS / ROUNDS_OF_A_SERVER, "µs")


def measure() -> Iterator[Row]:
    with provider("sync") as (address, _):
        yield from asyncio.run(measure_sync(address))
        yield from asyncio.run(measure_async(address))
        yield from asyncio.run(measure_streams(address))
        yield from asyncio.run(measure_async_streams(address))
    yield from asyncio.run(measure_server("sync"))
    yield from asyncio.run(measure_server("aio"))
    yield measure_servers("(server, plain against plain, anew each time)", "sync", "sync")
    yield measure_servers("(server, context by an interceptor)", "sync", "interceptor")
    yield measure_servers("(dubbo_mesh.Server relative to grpc.server)", "sync", "own", PATH)
    yield measure_servers("(dubbo_mesh.aio.Server relative to grpc.aio.server)", "aio", "own aio", PATH)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    else:
        for each in measure():
            print(each.markdown())
