"""`dubbo_mesh.Server` keeps its promises where a tool has patched `grpc.server` and `grpc.aio.server`.

The tool's interceptor then lies outside of our outermost layer.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
import localmesh
from dubbo_mesh._serving.draining import LEAVING
from tests.serving.conftest import Kind, LoopThread, Running
from tests.serving.providers import AsyncProvider, Provider
from tests.serving.test_draining import SHAPES, metadata
from tests.third_party.servers import KINDS

HEADERS = (("x-request-id", "r-1"),)


def request_id() -> StringValue:
    asked = dubbo_mesh.current_request()
    return StringValue(value=asked.request_id if asked is not None else None)


class Asking(Provider):
    """Answers with the request's id."""

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return request_id()

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield request_id()
        yield request_id()


class AsyncAsking(AsyncProvider):
    """The same on asyncio."""

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        return request_id()

    async def serverStream(
        self, request: StringValue, context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        yield request_id()
        yield request_id()


@contextmanager
def running(kind: str, *servicers: object, **settings: Any) -> Generator[Running]:
    """A server that is made while OpenTelemetry observes all servers."""
    otel: Any = importlib.import_module("opentelemetry.instrumentation.grpc")  # which is not typed
    instrumentor = (otel.GrpcInstrumentorServer if kind == "sync" else otel.GrpcAioInstrumentorServer)()
    instrumentor.instrument()
    loop = LoopThread() if kind == "aio" else None
    try:
        server = Running(cast("Kind", kind), loop, *servicers, **settings)
        try:
            yield server.start()
        finally:
            server.close()
    finally:
        instrumentor.uninstrument()
        if loop is not None:
            loop.close()


@pytest.mark.parametrize("kind", KINDS)
def test_handlers_know_their_request(kind: str) -> None:
    servicer = Asking() if kind == "sync" else AsyncAsking()
    with running(kind, servicer) as server:
        stub = server.stub()
        assert stub.unary(StringValue(), metadata=HEADERS).value == "r-1"
        stream = stub.serverStream(StringValue(), metadata=HEADERS)
        assert [response.value for response in stream] == ["r-1", "r-1"]


@pytest.mark.parametrize("kind", KINDS)
def test_responses_are_marked_while_it_drains(kind: str) -> None:
    with running(kind, drain=3600, quiet=3600) as server:
        for shape, call in SHAPES.items():
            assert metadata(call(server.stub(), "hello").initial_metadata()) == [], shape
        drain = server.drain_in_background()
        localmesh.wait_until(lambda: server.server.draining, what="the server drains")
        for shape, call in SHAPES.items():
            assert metadata(call(server.stub(), "hello").initial_metadata()) == [LEAVING], shape
        for shape in ("unary", "server stream"):
            with pytest.raises(grpc.RpcError) as raised:
                SHAPES[shape](server.stub(), "abort")
            error: Any = raised.value
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert LEAVING in metadata(error.trailing_metadata()), shape
    drain.join()
