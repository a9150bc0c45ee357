"""The messages of gRPC reflection that the doctor needs, in a descriptor pool of their own.

`v1` and `v1alpha` have the same messages on the wire. Those of grpcio-reflection are an extra of a server's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pb2 import DescriptorProto as Message
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto as File
from google.protobuf.descriptor_pb2 import OneofDescriptorProto as Oneof
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "dubbo_mesh.doctor.reflection"


def _field(name: str, number: int, kind: str = "", *, many: bool = False, one_of: bool = False) -> Field:
    scalar = {"": Field.TYPE_STRING, "bytes": Field.TYPE_BYTES, "int32": Field.TYPE_INT32}
    field = Field(name=name, number=number, label=Field.LABEL_REPEATED if many else Field.LABEL_OPTIONAL)
    if kind in scalar:
        field.type = scalar[kind]
    else:
        field.type, field.type_name = Field.TYPE_MESSAGE, kind
    if one_of:
        field.oneof_index = 0
    return field


_FILE = File(
    name="dubbo_mesh/doctor/reflection.proto",
    package=_PACKAGE,
    syntax="proto3",
    message_type=[
        Message(
            name="Request",
            oneof_decl=[Oneof(name="asked")],
            field=[
                _field("file_by_filename", 3, one_of=True),
                _field("file_containing_symbol", 4, one_of=True),
                _field("list_services", 7, one_of=True),
            ],
        ),
        Message(
            name="Response",
            oneof_decl=[Oneof(name="answer")],
            field=[
                _field("files", 4, "Files", one_of=True),
                _field("services", 6, "Services", one_of=True),
                _field("error", 7, "Error", one_of=True),
            ],
        ),
        Message(name="Files", field=[_field("file", 1, "bytes", many=True)]),
        Message(name="Services", field=[_field("service", 1, "Service", many=True)]),
        Message(name="Service", field=[_field("name", 1)]),
        Message(name="Error", field=[_field("code", 1, "int32"), _field("message", 2)]),
    ],
)

_POOL = DescriptorPool()
_POOL.Add(_FILE)


def _message(name: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message as _Message

    class _Files(_Message):
        file: Sequence[bytes]

    class _Service(_Message):
        name: str

    class _Services(_Message):
        service: Sequence[_Service]

    class _Error(_Message):
        code: int
        message: str

    class Request(_Message):
        """`ServerReflectionRequest`."""

        def __init__(
            self, *, file_by_filename: str = ..., file_containing_symbol: str = ..., list_services: str = ...
        ) -> None: ...

    class Response(_Message):
        """`ServerReflectionResponse`."""

        files: _Files
        services: _Services
        error: _Error

else:
    Request = _message("Request")
    Response = _message("Response")
