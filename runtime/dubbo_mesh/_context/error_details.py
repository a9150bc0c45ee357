"""An error's details: `grpc-status-details-bin`, which Dubbo providers and gRPC's richer error model send.

(Dubbo Java: `AbstractServerStream`; gRPC: `google/rpc/status.proto` and `error_details.proto`.)
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_HEADER = "grpc-status-details-bin"
_DEBUG_INFO = "google.rpc.DebugInfo"


@dataclass(frozen=True, slots=True)
class DebugInfo:
    """`google.rpc.DebugInfo`: where the error came from.

    Attributes:
        stack_entries: a Dubbo Java provider's stack trace, a frame each.
        detail: what else the server says.
    """

    stack_entries: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """`google.rpc.Status`: what the provider said of an error, beyond its status.

    Attributes:
        code: the status code, as a number; `grpc.StatusCode.NOT_FOUND.value[0]` and so on.
        message: the status's message.
        details: messages of any type: `details[0].Unpack(message)` for those that you know.
    """

    code: int
    message: str
    details: tuple[any_pb2.Any, ...]

    @property
    def debug_info(self) -> DebugInfo | None:
        """The `google.rpc.DebugInfo` among the details, which is where Dubbo Java puts its stack trace."""
        for detail in self.details:
            if detail.type_url.rpartition("/")[2] == _DEBUG_INFO:
                try:
                    info = _DEBUG_INFO_TYPE.FromString(detail.value)
                except DecodeError:
                    continue
                return DebugInfo(tuple(info.stack_entries), info.detail)
        return None


def error_details(error: grpc.RpcError) -> ErrorDetails | None:
    """What `grpc-status-details-bin` says of `error`; None if there is none, or it cannot be read.

    Args:
        error: as calls raise it, sync or async.
    """
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return None  # an interceptor's own
    value = next((value for key, value in error.trailing_metadata() or () if key == _HEADER), None)
    if not isinstance(value, bytes):
        return None
    try:
        status = _STATUS_TYPE.FromString(value)
    except DecodeError:
        return None
    details = tuple(any_pb2.Any(type_url=each.type_url, value=each.value) for each in status.details)
    return ErrorDetails(status.code, _message(status.message, error.details()), details)


def _message(message: str, header: str | None) -> str:
    """The message in clear: Dubbo Java writes it into the status as it encodes it for `grpc-message`."""
    return message if header is None or urllib.parse.unquote(message) != header else header


def _message_types() -> tuple[type[Any], type[Any]]:
    """`google.rpc.Status` and `google.rpc.DebugInfo`.

    In a pool of their own: the default one may hold those of googleapis-common-protos.
    """
    file = descriptor_pb2.FileDescriptorProto(name="status.proto", package="google.rpc", syntax="proto3")
    kind = descriptor_pb2.FieldDescriptorProto

    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=kind.TYPE_INT32)
    status.field.add(name="message", number=2, type=kind.TYPE_STRING)
    status.field.add(
        name="details",
        number=3,
        type=kind.TYPE_MESSAGE,
        type_name=".google.rpc.Detail",
        label=kind.LABEL_REPEATED,
    )

    detail = file.message_type.add(name="Detail")  # google.protobuf.Any
    detail.field.add(name="type_url", number=1, type=kind.TYPE_STRING)
    detail.field.add(name="value", number=2, type=kind.TYPE_BYTES)

    debug_info = file.message_type.add(name="DebugInfo")
    debug_info.field.add(name="stack_entries", number=1, type=kind.TYPE_STRING, label=kind.LABEL_REPEATED)
    debug_info.field.add(name="detail", number=2, type=kind.TYPE_STRING)

    pool = descriptor_pool.DescriptorPool()
    types = pool.AddSerializedFile(file.SerializeToString()).message_types_by_name
    get = message_factory.GetMessageClass
    return get(types["Status"]), get(types["DebugInfo"])


_STATUS_TYPE, _DEBUG_INFO_TYPE = _message_types()
