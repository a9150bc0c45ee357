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
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.calling.echo import ECHO, EchoAsyncStub, EchoStub
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
    """Those of one test."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def told(self) -> list[Told]:
        """What those that have ended tell; and forgets them."""
        spans = [Told.by(span) for span in self._exporter.get_finished_spans()]
        self._exporter.clear()
        return spans


@pytest.fixture
def spans() -> Spans:
    return Spans()


@contextmanager
def observed(way: str, server: Server, kind: str, spans: Spans) -> Generator[str]:
    """A server that OpenTelemetry observes; gives its address."""
    with ExitStack() as stack:
        interceptors: list[Any] = []
        if way == "given":
            make = otel.server_interceptor if kind == "sync" else otel.aio_server_interceptor
            interceptors = [make(tracer_provider=spans.provider)]
        else:
            instrumentor = (otel.GrpcInstrumentorServer if kind == "sync" else otel.GrpcAioInstrumentorServer)()
            instrumentor.instrument(tracer_provider=spans.provider)
            stack.callback(instrumentor.uninstrument)
        yield stack.enter_context(serving(server, kind, interceptors))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("text", TEXTS)
def test_spans_of_servers(kind: str, way: str, shape: str, text: str, spans: Spans) -> None:
    told: dict[str, list[Told]] = {}
    for server in SERVERS:
        with observed(way, server, kind, spans) as address:
            call(address, shape, text)
        told[server] = spans.told()
    (plain,) = told["plain"]
    assert plain.name == f"/{ECHO.name}/{shape}"
    exceptions = {"broken": "LookupError", "missing": "grpc_interceptor.exceptions.NotFound"}
    assert [kind for kind, _ in plain.exceptions if kind in exceptions.values()] == [
        exceptions[text] for _ in range(text in exceptions)
    ]
    assert told["added"] == told["plain"]
    (ours,) = told["ours"]
    assert ours.exceptions == plain.exceptions
    assert (ours.name, ours.kind) == (plain.name, plain.kind)
    if text in ("fine", "abort"):
        assert ours == plain
    assert SECRET not in str(ours.description)
