"""OpenTelemetry's spans tell of calls of our servers and by our stubs what they tell of grpc's own."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.calling.echo import ECHO, EchoAsyncStub, EchoStub
from tests.third_party import tracing
from tests.third_party.servers import KINDS, SECRET, SERVERS, SHAPES, Server, call, serving

otel: Any = importlib.import_module("opentelemetry.instrumentation.grpc")  # which is not typed

TEXTS = ("fine", "missing", "abort", "broken")
WAYS = ("given", "patched")
"""Interceptors are given to the server, or to all servers by patching `grpc.server`."""


class Told(NamedTuple):
    """What a span tells of a call."""

    name: str
    kind: SpanKind
    status: str
    description: str | None
    code: object
    exceptions: tuple[tuple[object, object], ...]

    @classmethod
    def by(cls, span: ReadableSpan) -> Told:
        attributes = span.attributes or {}
        exceptions = [event.attributes or {} for event in span.events if event.name == "exception"]
        return cls(
            span.name,
            span.kind,
            span.status.status_code.name,
            span.status.description,
            attributes.get("rpc.grpc.status_code"),
            tuple((each.get("exception.type"), each.get("exception.message")) for each in exceptions),
        )


class Spans:
    """Those of one test. All go to the process's provider: instrumented channels know no other."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        tracing.provider().add_span_processor(SimpleSpanProcessor(self._exporter))

    def close(self) -> None:
        self._exporter.shutdown()

    def told(self) -> list[Told]:
        """What those that have ended tell; and forgets them."""
        spans = [Told.by(span) for span in self._exporter.get_finished_spans()]
        self._exporter.clear()
        return spans


@pytest.fixture
def spans() -> Iterator[Spans]:
    spans = Spans()
    yield spans
    spans.close()


@contextmanager
def observed(way: str, server: Server, kind: str) -> Generator[str]:
    """A server that OpenTelemetry observes; gives its address."""
    with ExitStack() as stack:
        interceptors: list[Any] = []
        if way == "given":
            make = otel.server_interceptor if kind == "sync" else otel.aio_server_interceptor
            interceptors = [make()]
        else:
            instrumentors = {"sync": otel.GrpcInstrumentorServer, "aio": otel.GrpcAioInstrumentorServer}
            instrumentor = instrumentors[kind]()
            instrumentor.instrument()
            stack.callback(instrumentor.uninstrument)
        yield stack.enter_context(serving(server, kind, interceptors))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("text", TEXTS)
def test_spans_of_servers(kind: str, way: str, shape: str, text: str, spans: Spans) -> None:
    told: dict[str, list[Told]] = {}
    for server in SERVERS:
        with observed(way, server, kind) as address:
            call(address, shape, text)
        told[server] = spans.told()
    (plain,) = told["plain"]
    assert plain.name == f"/{ECHO.name}/{shape}"
    exceptions = {"broken": "LookupError", "missing": "grpc_interceptor.exceptions.NotFound"}
    if text in exceptions:
        assert exceptions[text] in {name for name, _ in plain.exceptions}
    assert told["added"] == told["plain"]
    (ours,) = told["ours"]
    assert ours.exceptions == plain.exceptions
    assert (ours.name, ours.kind) == (plain.name, plain.kind)
    if text in ("fine", "abort"):
        assert ours == plain
    assert SECRET not in str(ours.description)


def requests(shape: str, text: str) -> Any:
    request = StringValue(value=text)
    return iter([request]) if ECHO.methods[shape].client_streaming else request


def call_by_stub(address: str, shape: str, text: str) -> None:
    with EchoStub(target=address) as stub, suppress(grpc.RpcError):
        responses = getattr(stub, shape)(requests(shape, text), timeout=20)
        if ECHO.methods[shape].server_streaming:
            list(responses)


def call_on_asyncio(address: str, shape: str, text: str, *, plain: bool) -> None:
    method = ECHO.methods[shape]

    async def drive(rpc: Any) -> None:
        with suppress(grpc.RpcError):
            call = rpc(requests(shape, text), timeout=20)
            if not method.server_streaming:
                await call
                return
            async for _ in call:
                pass

    async def drive_either() -> None:
        if not plain:
            async with EchoAsyncStub(target=address) as stub:
                await drive(getattr(stub, shape))
            return
        async with grpc.aio.insecure_channel(address) as channel:
            many = ("unary", "stream")
            make: Any = getattr(channel, f"{many[method.client_streaming]}_{many[method.server_streaming]}")
            await drive(
                make(
                    method.path,
                    request_serializer=StringValue.SerializeToString,
                    response_deserializer=StringValue.FromString,
                )
            )

    asyncio.run(drive_either())


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving("plain", "sync") as address:
        yield address


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("text", TEXTS)
def test_spans_of_clients(kind: str, shape: str, text: str, address: str, spans: Spans) -> None:
    instrumentor = (otel.GrpcInstrumentorClient if kind == "sync" else otel.GrpcAioInstrumentorClient)()
    instrumentor.instrument()
    try:
        if kind == "sync":
            call(address, shape, text)
            plain = spans.told()
            call_by_stub(address, shape, text)
        else:
            call_on_asyncio(address, shape, text, plain=True)
            plain = spans.told()
            call_on_asyncio(address, shape, text, plain=False)
        ours = spans.told()
    finally:
        instrumentor.uninstrument()
    assert [(span.name, span.kind) for span in plain] == [(f"/{ECHO.name}/{shape}", SpanKind.CLIENT)]
    assert ours == plain
