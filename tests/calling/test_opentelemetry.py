"""Beside OpenTelemetry's own grpc instrumentation: one `traceparent` on the wire, and it is clear whose."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.calling import ways
from tests.calling.chain import KINDS, SHAPES, on_threads, seen_through
from tests.calling.echo import EchoAsyncStub, EchoStub
from tests.calling.mesh import Bench, Provider
from tests.third_party import tracing

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
INBOUND = f"00-{TRACE_ID}-b7ad6b7169203331-01"
HEADERS = (
    ("traceparent", INBOUND),
    ("tracestate", "vendor=inbound"),
    ("baggage", "user=42"),
    ("x-request-id", "r"),
)


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    tracing.provider().add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    exporter.clear()
    return exporter


@pytest.fixture(scope="module")
def back() -> Iterator[str]:
    with on_threads(Provider(), workers=8) as address:
        yield address


@contextmanager
def instrumented(*, client: bool = False, server: bool = False) -> Generator[None]:
    """grpc, as OpenTelemetry patches it for channels and servers made meanwhile."""
    otel: Any = importlib.import_module("opentelemetry.instrumentation.grpc")  # which is not typed
    instrumentors: list[Any] = []
    if client:
        instrumentors += [otel.GrpcInstrumentorClient(), otel.GrpcAioInstrumentorClient()]
    if server:
        instrumentors += [otel.GrpcInstrumentorServer(), otel.GrpcAioInstrumentorServer()]
    with ExitStack() as stack:
        for instrumentor in instrumentors:
            instrumentor.instrument()
            stack.callback(instrumentor.uninstrument)
        yield


@contextmanager
def relaying(
    kind: str, back: str, *, client: bool = False, server: bool = False, stream: bool = False
) -> Generator[EchoStub]:
    """A front in an instrumented process, and a caller in one that is not."""

    def work() -> StringValue:
        with EchoStub(target=back) as stub:
            if stream:
                (response,) = stub.serverStream(StringValue(), timeout=5)
                return response
            return stub.unary(StringValue(), timeout=5)

    async def async_work() -> StringValue:
        async with EchoAsyncStub(target=back) as stub:
            if stream:
                (response,) = [each async for each in stub.serverStream(StringValue(), timeout=5)]
                return response
            return await stub.unary(StringValue(), timeout=5)

    with ExitStack() as stack:
        with instrumented(server=server):
            address = stack.enter_context(KINDS[kind](work, async_work))
        stub = stack.enter_context(EchoStub(target=address))
        with instrumented(client=client):
            yield stub


def ids(spans: InMemorySpanExporter, kind: trace.SpanKind) -> set[str]:
    """The spans of that kind, as `traceparent` writes them before its flags."""
    contexts = [span.context for span in spans.get_finished_spans() if span.kind is kind]
    return {f"00-{each.trace_id:032x}-{each.span_id:016x}" for each in contexts if each is not None}


@pytest.mark.parametrize("kind", ["sync", "aio"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stream", [False, True], ids=["to unary", "to stream"])
class TestOneTraceparent:
    def test_of_the_clients_span_in_the_trace_of_the_request(
        self, kind: str, shape: str, stream: bool, back: str, spans: InMemorySpanExporter
    ) -> None:
        with relaying(kind, back, client=True, server=True, stream=stream) as stub:
            for seen in seen_through(stub, shape, HEADERS):
                assert seen["traceparent"][:-3] in ids(spans, trace.SpanKind.CLIENT)
                assert TRACE_ID in seen["traceparent"]
                assert seen["tracestate"] == "vendor=inbound"
                assert seen["x-request-id"] == "r"
                assert seen["baggage"] == "user=42"

    def test_of_the_clients_span_where_only_clients_are_instrumented(
        self, kind: str, shape: str, stream: bool, back: str, spans: InMemorySpanExporter
    ) -> None:
        with relaying(kind, back, client=True, stream=stream) as stub:
            for seen in seen_through(stub, shape, HEADERS):
                assert seen["traceparent"][:-3] in ids(spans, trace.SpanKind.CLIENT)
                assert seen["x-request-id"] == "r"
                assert seen["baggage"] == "user=42"

    def test_of_the_request_where_only_servers_are_instrumented(
        self, kind: str, shape: str, stream: bool, back: str, spans: InMemorySpanExporter
    ) -> None:
        with relaying(kind, back, server=True, stream=stream) as stub:
            for seen in seen_through(stub, shape, HEADERS):
                assert seen["traceparent"] == INBOUND
                assert seen["baggage"] == "user=42"
        assert len(ids(spans, trace.SpanKind.SERVER)) == 1

    def test_of_the_request_where_nothing_is_instrumented(
        self, kind: str, shape: str, stream: bool, back: str, spans: InMemorySpanExporter
    ) -> None:
        with relaying(kind, back, stream=stream) as stub:
            for seen in seen_through(stub, shape, HEADERS):
                assert seen["traceparent"] == INBOUND
                assert seen["baggage"] == "user=42"
                assert seen["tracestate"] == "vendor=inbound"
        assert not spans.get_finished_spans()


def test_streams_of_an_instrumented_client_end_at_their_deadline_too(bench: Bench) -> None:
    with instrumented(client=True), bench.stub(bench.strict, "enforced") as stub:
        for _ in range(20):
            with pytest.raises(grpc.RpcError) as raised:
                list(stub.serverStream(StringValue(value="begin hang"), timeout=0.05))
            assert ways.ending_of(raised.value)[0] is grpc.StatusCode.DEADLINE_EXCEEDED
