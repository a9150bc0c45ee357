"""Server streams that are read in the calling thread alone: what they give, and what is lost by it."""

from __future__ import annotations

import gc
import importlib
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import localmesh
from dubbo_mesh import Target
from tests.addressing.conftest import Mesh
from tests.addressing.providers import HOLD
from tests.calling.echo import EchoStub


class Passing(grpc.UnaryStreamClientInterceptor):
    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(client_call_details, request)


USAGE_ERROR: type[Exception] = importlib.import_module("grpc.experimental").UsageError  # it has no types


@pytest.fixture
def stub(egress: Mesh) -> Iterator[EchoStub]:
    with EchoStub(single_threaded_streams=True) as stub:
        yield stub


def test_the_option_is_on_where_it_is_asked_for(egress: Mesh) -> None:
    def kind(stub: EchoStub) -> str:
        return type(stub.serverStream(StringValue(), timeout=5)).__name__

    with EchoStub() as stub:
        assert kind(stub) == "_MultiThreadedRendezvous"
    for connections in (1, 2):
        with EchoStub(single_threaded_streams=True, connections=connections) as stub:
            assert kind(stub) == "_SingleThreadedRendezvous"
    with dubbo_mesh.channel(Target("echo", port=50051), single_threaded_streams=True) as channel:
        assert kind(EchoStub(channel)) == "_SingleThreadedRendezvous"


def test_all_shapes_answer(stub: EchoStub) -> None:
    assert [each.value for each in stub.serverStream(StringValue(), timeout=5)] == ["provider"] * 2
    assert stub.unary(StringValue(), timeout=5).value == "provider"
    assert stub.clientStream(iter([StringValue()]), timeout=5).value == "provider"
    assert next(stub.bidi(iter([StringValue()]), timeout=5)).value == "provider"


def test_what_is_not_known_before_the_end_is_read(egress: Mesh, stub: EchoStub) -> None:
    called = threading.Event()
    call: Any = stub.serverStream(HOLD, timeout=10)
    call.add_done_callback(lambda _: called.set())  # pyright: ignore[reportUnknownLambdaType]  # a call
    assert next(call).value == "provider"
    assert call.initial_metadata() is not None
    for ask in (
        call.code,
        call.details,
        call.trailing_metadata,
        call.debug_error_string,
        call.result,
        call.exception,
        call.traceback,
    ):
        with pytest.raises(USAGE_ERROR):
            ask()
    assert "terminated" not in str(call)
    egress.provider.release.set()
    # The call ends; only who reads to its end gets to know.
    localmesh.wait_until(lambda: egress.sidecar.egress_log.wait_for(1), what="the call has ended")
    assert not call.done()
    assert not called.is_set()
    assert [each.value for each in call] == ["provider"]
    assert called.is_set()
    assert call.done()
    assert (call.code(), call.exception()) == (grpc.StatusCode.OK, None)


def test_another_thread_cancels(egress: Mesh, stub: EchoStub) -> None:
    call: Any = stub.serverStream(HOLD, timeout=10)
    assert next(call).value == "provider"
    threading.Timer(0.05, call.cancel).start()
    with pytest.raises(grpc.RpcError):
        next(call)
    assert call.code() is grpc.StatusCode.CANCELLED


def test_a_dropped_stream_is_cancelled(egress: Mesh, stub: EchoStub) -> None:
    call: Any = stub.serverStream(HOLD, timeout=60)
    assert egress.provider.entered.wait(10)
    del call
    gc.collect()
    (entry,) = egress.sidecar.egress_log.wait_for(1)
    assert entry is not None


@pytest.mark.parametrize(
    "arguments",
    [{}, {"connections": 2}, {"interceptors": [Passing()]}],
    ids=["plain", "connections", "interceptors"],
)
def test_a_stream_under_way_outlives_its_stub(egress: Mesh, arguments: dict[str, Any]) -> None:
    """With plain grpcio such a stream does not even keep its channel."""
    call = EchoStub(single_threaded_streams=True, **arguments).serverStream(HOLD, timeout=10)
    assert egress.provider.entered.wait(10)
    gc.collect()
    egress.provider.release.set()
    assert [each.value for each in call] == ["provider"] * 2
