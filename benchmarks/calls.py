"""What a generated stub adds to a call of plain grpcio's, and a generated servicer to a plain handler."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
from benchmarks.measuring import Row, cpu_pairs, cpu_pairs_async, python, row
from dubbo_mesh._request import Serving, serving

PATH = "/bench.Echo/call"
ECHO = dubbo_mesh.Service("bench.Echo", dubbo_mesh.Method(PATH, StringValue, StringValue), app="echo")
MESSAGE = StringValue(value="hello")

SIX_HEADERS = dubbo_mesh.EnvoyHeaders(
    timeout=5,
    per_try_timeout=1,
    max_retries=2,
    retry_on=("connect-failure", "refused-stream"),
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

CALLS = 400
ROUNDS = 40
CONCURRENT = 64


class EchoStub(dubbo_mesh.Stub["EchoAsyncStub"]):
    __mesh__ = ECHO
    call: dubbo_mesh.UnaryUnary[StringValue, StringValue]


class EchoAsyncStub(dubbo_mesh.aio.Stub, twin=EchoStub):
    __mesh__ = ECHO
    call: dubbo_mesh.aio.UnaryUnary[StringValue, StringValue]


class Echo(dubbo_mesh.Servicer):
    __mesh__ = ECHO

    def call(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return request


class AsyncEcho(dubbo_mesh.aio.Servicer):
    __mesh__ = ECHO

    async def call(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        return request


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
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    server.add_registered_method_handlers("bench.Echo", handlers)


def serve(kind: str) -> None:
    """The other end, as a process of its own: prints its port, and ends with its standard input."""
    if kind.startswith("aio"):
        asyncio.run(serve_async(kind))
        return
    interceptors: list[grpc.ServerInterceptor] = [SetsContext()] if kind == "interceptor" else []
    server = grpc.server(ThreadPoolExecutor(4), interceptors=interceptors)
    if kind == "ours":
        dubbo_mesh.add_servicer(Echo(), server, ECHO)
    else:
        register_plain(server, Echo().call)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


async def serve_async(kind: str) -> None:
    server = grpc.aio.server()
    if kind == "aio-ours":
        dubbo_mesh.add_servicer(AsyncEcho(), server, ECHO)
    else:
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
    """CPU seconds that a process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def plain_call(channel: Any) -> Any:
    return channel.unary_unary(
        PATH, StringValue.SerializeToString, StringValue.FromString, _registered_method=True
    )


def repeatedly(call: Callable[..., Any], **arguments: Any) -> Callable[[], None]:
    def run() -> None:
        for _ in range(CALLS):
            call(MESSAGE, **arguments)

    return run


def concurrently(call: Callable[..., Any], **arguments: Any) -> Callable[[], None]:
    def run() -> None:
        for _ in range(CALLS // CONCURRENT):
            for future in [call.future(MESSAGE, **arguments) for _ in range(CONCURRENT)]:  # type: ignore[attr-defined]
                future.result()

    return run


def measure_sync(address: str) -> Iterator[Row]:
    with grpc.insecure_channel(address) as channel:
        plain = plain_call(channel)
        intercepted = plain_call(grpc.intercept_channel(channel, AddsMetadata()))
        bare, six = EchoStub(channel).call, EchoStub(channel, envoy=SIX_HEADERS).call

        def compare(what: str, base: Any, other: Any, budget: float | None = None) -> Row:
            return row(what, cpu_pairs(base, other, ROUNDS), 1e6 / CALLS, "µs", budget)

        by_hand = {"timeout": 5.0, "metadata": BY_HAND}
        yield compare("sync call, no headers", repeatedly(plain), repeatedly(bare), 1.02)
        yield compare("sync call, six headers", repeatedly(plain, **by_hand), repeatedly(six), 1.02)
        yield compare(
            "sync call, six headers, a timeout with each call",
            repeatedly(plain, **by_hand),
            repeatedly(six, timeout=4.0),
            1.02,
        )
        yield compare(
            "sync call, 64 at once, six headers", concurrently(plain, **by_hand), concurrently(six), 1.02
        )
        mark = Serving(Inbound())

        def while_serving() -> None:
            token = serving.set(mark)
            repeatedly(six)()
            serving.reset(token)

        carried = {"timeout": 5.0, "metadata": BY_HAND + TRACING}
        yield compare(
            "sync call, six headers, two carried", repeatedly(plain, **carried), while_serving, 1.05
        )
        yield compare(
            "(sync, six headers by an interceptor)",
            repeatedly(plain, **by_hand),
            repeatedly(intercepted, timeout=5.0),
        )


async def measure_async(address: str) -> list[Row]:
    rows: list[Row] = []
    intercepting = grpc.aio.insecure_channel(address, interceptors=[AddsMetadataAsync()])
    async with grpc.aio.insecure_channel(address) as channel, intercepting:
        plain = plain_call(channel)
        bare, six = EchoAsyncStub(channel).call, EchoAsyncStub(channel, envoy=SIX_HEADERS).call

        def one_by_one(call: Any, **arguments: Any) -> Any:
            async def run() -> None:
                for _ in range(CALLS):
                    await call(MESSAGE, **arguments)

            return run

        def at_once(call: Any, **arguments: Any) -> Any:
            async def run() -> None:
                for _ in range(CALLS // CONCURRENT):
                    await asyncio.gather(*[call(MESSAGE, **arguments) for _ in range(CONCURRENT)])

            return run

        async def compare(what: str, base: Any, other: Any, budget: float | None = None) -> None:
            pairs = await cpu_pairs_async(base, other, ROUNDS)
            rows.append(row(what, pairs, 1e6 / CALLS, "µs", budget))

        by_hand = {"timeout": 5.0, "metadata": BY_HAND}
        carried = {"timeout": 5.0, "metadata": BY_HAND + TRACING}
        await compare("aio call, no headers", one_by_one(plain), one_by_one(bare), 1.02)
        await compare("aio call, six headers", one_by_one(plain, **by_hand), one_by_one(six), 1.02)
        await compare("aio call, 64 at once, six headers", at_once(plain, **by_hand), at_once(six), 1.02)
        mark = Serving(Inbound())

        async def while_serving() -> None:
            token = serving.set(mark)
            await one_by_one(six)()
            serving.reset(token)

        await compare("aio call, six headers, two carried", one_by_one(plain, **carried), while_serving, 1.05)
        await compare(
            "(aio, six headers by an interceptor)",
            one_by_one(plain, **by_hand),
            one_by_one(plain_call(intercepting), timeout=5.0),
        )
    return rows


def measure_servers(base: str, other: str, what: str, budget: float | None) -> Row:
    """CPU that two servers take for the same calls."""
    many = 5 * CALLS  # the kernel counts CPU in hundredths of seconds
    pairs: list[tuple[float, float]] = []
    with ExitStack() as stack:
        ends: list[tuple[Any, int]] = []
        for kind in (base, other):
            address, pid = stack.enter_context(provider(kind))
            ends.append((plain_call(stack.enter_context(grpc.insecure_channel(address))), pid))

        def spend(which: int, calls: int) -> float:
            call, pid = ends[which]
            before = cpu_of(pid)
            for _ in range(calls):
                call(MESSAGE)
            return cpu_of(pid) - before

        for which in (0, 1):
            spend(which, CALLS)
        for number in range(ROUNDS // 2):
            taken = {which: spend(which, many) for which in ((0, 1) if number % 2 else (1, 0))}
            pairs.append((taken[0], taken[1]))
    return row(what, pairs, 1e6 / many, "µs", budget)


def measure() -> list[Row]:
    rows: list[Row] = []
    with provider("plain") as (address, _):
        rows.extend(measure_sync(address))
        rows.extend(asyncio.run(measure_async(address)))
    rows.append(measure_servers("plain", "ours", "server, sync handler", 1.03))
    rows.append(measure_servers("aio-plain", "aio-ours", "server, aio handler", 1.03))
    rows.append(measure_servers("plain", "interceptor", "(server, context by an interceptor)", None))
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    else:
        for each in measure():
            print(each.markdown())
