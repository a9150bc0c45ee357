"""`grpc-status-details-bin`: what a Dubbo provider says of an error, read with protobuf alone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

from dubbo_mesh import DebugInfo, ErrorDetails, error_details
from tests.calling.chain import on_threads
from tests.calling.echo import EchoAsyncStub, EchoServicer, EchoStub
from tests.triple import java
from tests.triple.google_rpc import code_pb2, error_details_pb2, rpc_status, status_pb2

MESSAGE = "org.example.NoSuchUser: 100% of the users known are not 'Zoë'"


def failed(address: str) -> grpc.RpcError:
    with EchoStub(target=address) as stub, pytest.raises(grpc.RpcError) as raised:
        stub.unary(StringValue(), timeout=10)
    return raised.value


def failed_future(address: str) -> grpc.RpcError:
    with EchoStub(target=address) as stub:
        error = stub.unary.future(StringValue(), timeout=10).exception()
    assert isinstance(error, grpc.RpcError)
    return error


def failed_stream(address: str) -> grpc.RpcError:
    with EchoStub(target=address) as stub, pytest.raises(grpc.RpcError) as raised:
        list(stub.serverStream(StringValue(), timeout=10))
    return raised.value


def failed_aio(address: str) -> grpc.RpcError:
    async def ask() -> None:
        async with EchoAsyncStub(target=address) as stub:
            await stub.unary(StringValue(), timeout=10)

    with pytest.raises(grpc.RpcError) as raised:
        asyncio.run(ask())
    return raised.value


@pytest.mark.parametrize("fail", [failed, failed_future, failed_stream, failed_aio])
@pytest.mark.parametrize("padded", [True, False], ids=["padded", "not padded"])
def test_the_exception_of_a_dubbo_java_provider(fail: Callable[[str], grpc.RpcError], padded: bool) -> None:
    trailers = java.error_trailers(code_pb2.INTERNAL, MESSAGE, java.stack_trace(), padded=padded)
    with java.provider(trailers) as address:
        error = fail(address)
    with pytest.raises(ValueError, match="doesn't match status details"):
        rpc_status.from_call(error)
    details = error_details(error)
    assert details is not None
    assert details.code == grpc.StatusCode.INTERNAL.value[0]
    assert details.message == MESSAGE  # though Dubbo percent-encodes it within the status, too
    assert details.debug_info == DebugInfo(java.STACK, "")
    unpacked = error_details_pb2.DebugInfo()
    assert details.details[0].Unpack(unpacked)
    assert tuple(unpacked.stack_entries) == java.STACK


def test_an_error_of_dubbo_java_without_an_exception() -> None:
    with java.provider(java.error_trailers(code_pb2.UNAVAILABLE, "no-provider")) as address:
        details = error_details(failed(address))
    assert details == ErrorDetails(code_pb2.UNAVAILABLE, "no-provider", ())
    assert details is not None
    assert details.debug_info is None


class Rich(EchoServicer):
    """Fails with details, as gRPC's own helpers make them."""

    status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="no user 'Zoë', 100%25 sure")

    def __init__(self) -> None:
        packed = AnyMessage()
        packed.Pack(error_details_pb2.ResourceInfo(resource_type="user", resource_name="Zoë"))
        del self.status.details[:]
        self.status.details.append(packed)

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        context.abort_with_status(rpc_status.to_status(self.status))
        raise AssertionError

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield self.unary(request, context)


@pytest.mark.parametrize("fail", [failed, failed_future, failed_stream, failed_aio])
def test_rich_errors_of_grpc_are_read_by_us_and_by_grpc(fail: Callable[[str], grpc.RpcError]) -> None:
    with on_threads(Rich()) as address:
        error: Any = fail(address)
    assert rpc_status.from_call(error) == Rich.status
    details = error_details(error)
    assert details is not None
    assert details.message == Rich.status.message
    assert details.details == tuple(Rich.status.details)
    info = error_details_pb2.ResourceInfo()
    assert details.details[0].Unpack(info)
    assert info.resource_name == "Zoë"
    assert details.debug_info is None


def test_calls_with_a_deadline_are_read_by_grpc_too() -> None:
    async def from_call(address: str) -> object:
        async with EchoAsyncStub(target=address) as stub:
            call: Any = stub.unary(StringValue(), timeout=10)
            return await rpc_status.aio.from_call(call)

    with on_threads(Rich()) as address:
        with EchoStub(target=address) as stub:
            call: Any = stub.unary.future(StringValue(), timeout=10)
            assert rpc_status.from_call(call) == Rich.status
        assert asyncio.run(from_call(address)) == Rich.status


def test_an_error_without_details_has_none() -> None:
    with on_threads(EchoServicer()) as address:
        for error in (failed(address), failed_aio(address)):
            assert error_details(error) is None
    assert error_details(grpc.RpcError("of an interceptor")) is None


def test_neither_grpcio_status_nor_googleapis_is_needed() -> None:
    script = (
        "import sys, dubbo_mesh; dubbo_mesh.error_details;"
        "sys.exit(any(name.startswith(('google.rpc', 'grpc_status')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def error_with(value: str | bytes, message: str | None = "") -> grpc.RpcError:
    error = mock.create_autospec(grpc.aio.AioRpcError, instance=True)
    error.trailing_metadata.return_value = grpc.aio.Metadata(("grpc-status-details-bin", value))
    error.details.return_value = message
    told: grpc.RpcError = error
    return told


@given(st.binary() | st.text(), st.none() | st.text())
def test_any_bytes_can_stand_there(value: bytes | str, message: str | None) -> None:
    details = error_details(error_with(value, message))
    assert details is None or isinstance(details, ErrorDetails)


@given(st.binary(), st.text())
def test_any_detail_can_pose_as_a_stack_trace(value: bytes, host: str) -> None:
    status = status_pb2.Status(code=13)
    try:
        status.details.add(type_url=f"{host}/google.rpc.DebugInfo", value=value)
    except ValueError:
        return  # a surrogate, which no peer can send
    details = error_details(error_with(status.SerializeToString()))
    assert details is not None
    assert details.debug_info is None or isinstance(details.debug_info, DebugInfo)


@given(st.text(st.characters(codec="utf-8")))
def test_a_message_comes_back_whether_or_not_it_was_encoded(message: str) -> None:
    for written in (message, urllib.parse.quote(message)):
        status = status_pb2.Status(code=13, message=written).SerializeToString()
        details = error_details(error_with(status, message))
        assert details is not None
        assert details.message == message


def test_a_code_that_is_none_of_grpcs_is_a_number() -> None:
    # dubbo-go's BizError: what an application's own error is sent as.
    with java.provider(java.error_trailers(17, "out of stock")) as address:
        error: Any = failed(address)
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error_details(error) == ErrorDetails(17, "out of stock", ())
