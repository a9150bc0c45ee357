"""An error's details, which gRPC's richer error model and Dubbo providers send in `grpc-status-details-bin`.

(Dubbo Java: `AbstractServerStream`, `TripleClientStream`; googleapis: `google/rpc/status.proto`,
`google/rpc/error_details.proto`.)
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from .attachments import Metadata

_HEADER = "grpc-status-details-bin"
_DEBUG_INFO = "google.rpc.DebugInfo"
_FULL_WIDTH = str.maketrans({"%": "\N{FULLWIDTH PERCENT SIGN}", "+": "\N{FULLWIDTH PLUS SIGN}"})


@dataclass(frozen=True, slots=True)
class DebugInfo:
    """`google.rpc.DebugInfo`: where the error came from.

    Attributes:
        stack_entries: the stack trace, one frame each.
        detail: anything else the server has to say.
    """

    stack_entries: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """`google.rpc.Status`: what a provider says about an error beyond its status code and message.

    Attributes:
        code: the status code as a number, as in `grpc.StatusCode.NOT_FOUND.value[0]`. It need not be one of
            gRPC's: dubbo-go marks an application's own errors by 17.
        message: the error message.
        details: messages of any type; `details[0].Unpack(message)` for the types that you know.
    """

    code: int
    message: str
    details: tuple[any_pb2.Any, ...]

    @property
    def debug_info(self) -> DebugInfo | None:
        """The `google.rpc.DebugInfo` among the details, in which Dubbo Java sends its stack trace."""
        for detail in self.details:
            if detail.type_url.rpartition("/")[2] == _DEBUG_INFO:
                try:
                    info = _DEBUG_INFO_TYPE.FromString(detail.value)
                except DecodeError:
                    continue
                return DebugInfo(tuple(info.stack_entries), info.detail)
        return None


@dataclass(frozen=True, slots=True)
class ErrorStatus(grpc.Status):
    """A status with details, for `context.abort_with_status(...)`.

    Attributes:
        code: the status code.
        details: the error message, as gRPC calls it here.
        trailing_metadata: the trailing metadata, with the details in it.
    """

    code: grpc.StatusCode
    details: str
    trailing_metadata: Metadata


def error_status(
    code: grpc.StatusCode,
    message: str,
    *details: Message,
    debug_info: DebugInfo | None = None,
    trailing_metadata: Iterable[tuple[str, str | bytes]] = (),
    verbatim: bool = False,
) -> ErrorStatus:
    """Returns a status with details, for a servicer to end a call with.

        context.abort_with_status(dubbo_mesh.error_status(grpc.StatusCode.NOT_FOUND, "no such user", info))

    (With `await` in an async servicer.) It can be read by `error_details`, by grpcio-status and other
    implementations of gRPC's richer error model, by Dubbo Java and by dubbo-go.

    Dubbo Java URL-decodes the message in the details, though it is not encoded there: `1+1` would arrive as
    `1 1`, and `100%` would end the call as CANCELLED. No encoding suits it and grpcio-status as well, which
    raises an error unless that message equals the one in `grpc-message`. So `%` and `+` are replaced by
    their full-width forms, U+FF05 and U+FF0B: they read the same, and `unicodedata.normalize("NFKC", text)`
    restores them. Put what programs are to read into the details, which are sent as they are.

    The message is sent twice, and all of it together must stay below 8 KiB: gRPC's clients turn an error with
    larger metadata into RESOURCE_EXHAUSTED.

    Args:
        code: the status code, other than OK.
        message: the error message.
        details: messages of any type; `google.protobuf.Any` is sent as it is, others are packed into one.
        debug_info: sent as one more detail; Dubbo Java appends its stack entries to the message. Callers see
            it, so beware of what it reveals.
        trailing_metadata: further trailing metadata, such as `attachments(...)`: what was set by
            `context.set_trailing_metadata` is replaced by the status's.
        verbatim: leave the message alone; for services whose callers do not include Dubbo Java.

    Raises:
        ValueError: `code` is OK.
        TypeError: a detail is not a protobuf message.
    """
    if code is grpc.StatusCode.OK:
        raise ValueError("code must not be OK: an error has another status")
    message = message.encode("utf-8", "replace").decode()  # a lone surrogate must not hide the error
    if not verbatim:
        message = message.translate(_FULL_WIDTH)
    status = _STATUS_TYPE(code=code.value[0], message=message)
    for detail in details:
        if not isinstance(detail, Message):
            raise TypeError(f"detail {detail!r} must be a protobuf message")
        packed = any_pb2.Any()
        if isinstance(detail, any_pb2.Any):
            packed = detail
        else:
            packed.Pack(detail)
        status.details.add(type_url=packed.type_url, value=packed.value)
    if debug_info is not None:
        info = _DEBUG_INFO_TYPE(stack_entries=debug_info.stack_entries, detail=debug_info.detail)
        status.details.add(type_url=f"type.googleapis.com/{_DEBUG_INFO}", value=info.SerializeToString())
    return ErrorStatus(code, message, (*trailing_metadata, (_HEADER, status.SerializeToString())))


def error_details(error: grpc.RpcError) -> ErrorDetails | None:
    """Returns the details that came with `error`; None if there are none, or they are malformed.

    Args:
        error: as raised by a call, sync or async.
    """
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return None  # raised by an interceptor
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
    """The message in clear: Dubbo Java writes it into the details in the encoding of `grpc-message`."""
    return message if header is None or urllib.parse.unquote(message) != header else header


def _message_types() -> tuple[type[Any], type[Any]]:
    """`google.rpc.Status` and `google.rpc.DebugInfo`.

    They are in a pool of their own: the default one may hold those of googleapis-common-protos.
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

    detail = file.message_type.add(name="Detail")  # has the fields of google.protobuf.Any
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
