"""Errors with details that a servicer of ours sends, as all who may call it read them."""

from __future__ import annotations

import re
import unicodedata
import urllib.parse
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

import dubbo_mesh
from dubbo_mesh import DebugInfo, ErrorStatus, attachments, error_details, error_status, read_attachments
from tests.calling.chain import on_aio, on_threads
from tests.calling.echo import EchoAsyncServicer, EchoServicer
from tests.triple.google_rpc import error_details_pb2, rpc_status, status_pb2
from tests.triple.test_error_details import failed, failed_aio, failed_future, failed_stream

MESSAGES = [
    "no such user",
    "100% of 1+1",
    "%41 is no A, and + no blank",
    "50%25",
    "Zoë's disk is 95% full: +49 30",
    "",
    "two\nlines\tand a tab",
    "a file called caf\udce9",  # as os.listdir() has names that are not UTF-8
]


def as_dubbo_java_decodes(message: str) -> str:
    """Netty's `QueryStringDecoder.decodeComponent`, which is `TriRpcStatus.decodeMessage`."""
    if re.search("%(?![0-9A-Fa-f]{2})", message):
        raise ValueError("unterminated escape sequence")
    return urllib.parse.unquote_plus(message)


def detail() -> Message:
    info: Message = error_details_pb2.ResourceInfo(resource_type="user", resource_name="100% Zoë")
    return info


class Failing(EchoServicer):
    """Ends every call with a status."""

    def __init__(self, status: ErrorStatus) -> None:
        self._status = status

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        context.abort_with_status(self._status)
        raise AssertionError

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield self.unary(request, context)


class AsyncFailing(EchoAsyncServicer):
    """The same, for asyncio."""

    def __init__(self, status: ErrorStatus) -> None:
        self._status = status

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        await context.abort_with_status(self._status)
        raise AssertionError

    async def serverStream(
        self, request: StringValue, context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        yield await self.unary(request, context)


class OnAio(EchoServicer):
    """The same, for a sync servicer on an async server, whose context has no `abort_with_status`."""

    def __init__(self, status: ErrorStatus) -> None:
        self._status = status

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        context.set_trailing_metadata(self._status.trailing_metadata)
        context.abort(self._status.code, self._status.details)
        raise AssertionError

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield self.unary(request, context)


SERVERS: dict[str, Callable[[ErrorStatus], Any]] = {
    "sync": lambda status: on_threads(Failing(status)),
    "aio": lambda status: on_aio(AsyncFailing(status)),
    "sync on aio": lambda status: on_aio(OnAio(status)),
}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("fail", [failed, failed_future, failed_stream, failed_aio])
@pytest.mark.parametrize("message", MESSAGES)
def test_everybody_reads_the_same(server: str, fail: Callable[[str], grpc.RpcError], message: str) -> None:
    status = error_status(
        grpc.StatusCode.NOT_FOUND,
        message,
        detail(),
        debug_info=DebugInfo(("at A+B", "100% at C"), "of the server"),
        trailing_metadata=attachments({"costCenter": "7"}),
    )
    with SERVERS[server](status) as address:
        error: Any = fail(address)

    # grpcio, and grpcio-status, which raises ValueError unless both messages are the same.
    rich = rpc_status.from_call(error)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == rich.message
    sendable = message.encode("utf-8", "replace").decode()
    assert unicodedata.normalize("NFKC", rich.message) == unicodedata.normalize("NFKC", sendable)
    # Dubbo Java.
    assert as_dubbo_java_decodes(rich.message) == rich.message
    # Ours.
    details = error_details(error)
    assert details is not None
    assert (details.code, details.message) == (grpc.StatusCode.NOT_FOUND.value[0], rich.message)
    assert details.debug_info == DebugInfo(("at A+B", "100% at C"), "of the server")
    unpacked = error_details_pb2.ResourceInfo()
    assert details.details[0].Unpack(unpacked)
    assert unpacked == detail()
    assert details.details == tuple(rich.details)
    assert read_attachments(error.trailing_metadata()) == {"costCenter": "7"}


def test_a_message_without_percent_and_plus_is_left_alone() -> None:
    assert error_status(grpc.StatusCode.ABORTED, "Zoë & co. 1-1").details == "Zoë & co. 1-1"


def test_a_message_can_be_left_alone_whatever_it_has() -> None:
    status = error_status(grpc.StatusCode.ABORTED, "100% of 1+1", verbatim=True)
    assert status.details == "100% of 1+1"
    with on_threads(Failing(status)) as address:
        error: Any = failed(address)
    assert rpc_status.from_call(error).message == error.details() == "100% of 1+1"


@given(st.text())
def test_dubbo_java_reads_any_message(message: str) -> None:
    sent = error_status(grpc.StatusCode.ABORTED, message)
    message = message.encode("utf-8", "replace").decode()
    (_, serialized), *_ = sent.trailing_metadata
    assert status_pb2.Status.FromString(serialized).message == sent.details
    assert as_dubbo_java_decodes(sent.details) == sent.details
    if not {"%", "+"} & set(message):
        assert sent.details == message


def test_a_packed_detail_is_sent_as_it_is() -> None:
    packed = AnyMessage()
    packed.Pack(detail())
    plain = error_status(grpc.StatusCode.ABORTED, "", detail())
    assert error_status(grpc.StatusCode.ABORTED, "", packed) == plain


def test_what_is_no_error_or_no_message_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be OK"):
        error_status(grpc.StatusCode.OK, "fine")
    text: Any = "a text"
    with pytest.raises(TypeError, match="'a text' must be a protobuf message"):
        error_status(grpc.StatusCode.ABORTED, "", text)
