"""The messages of `grpc.health.v1`, in a descriptor pool of their own.

An application may bring `health.proto` itself, under whatever path, with the modules generated from it.
protobuf refuses a second file that defines the same messages in one pool, so such an application could not
serve if the modules of grpcio-health-checking were imported for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pb2 import DescriptorProto as Message
from google.protobuf.descriptor_pb2 import EnumDescriptorProto as Enum
from google.protobuf.descriptor_pb2 import EnumValueDescriptorProto as EnumValue
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto as File
from google.protobuf.descriptor_pb2 import MessageOptions
from google.protobuf.descriptor_pb2 import MethodDescriptorProto as Rpc
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto as Service
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

PACKAGE = "grpc.health.v1"

_ONE, _MANY = Field.LABEL_OPTIONAL, Field.LABEL_REPEATED
_STRING, _ENUM, _MESSAGE = Field.TYPE_STRING, Field.TYPE_ENUM, Field.TYPE_MESSAGE

_FILE = File(
    name="grpc/health/v1/health.proto",
    package=PACKAGE,
    syntax="proto3",
    message_type=[
        Message(name="HealthCheckRequest", field=[Field(name="service", number=1, label=_ONE, type=_STRING)]),
        Message(
            name="HealthCheckResponse",
            enum_type=[
                Enum(
                    name="ServingStatus",
                    value=[
                        EnumValue(name=name, number=number)
                        for number, name in enumerate(
                            ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
                        )
                    ],
                )
            ],
            field=[Field(name="status", number=1, label=_ONE, type=_ENUM, type_name="ServingStatus")],
        ),
        Message(name="HealthListRequest"),
        Message(
            name="HealthListResponse",
            nested_type=[
                Message(
                    name="StatusesEntry",
                    field=[
                        Field(name="key", number=1, label=_ONE, type=_STRING),
                        Field(
                            name="value", number=2, label=_ONE, type=_MESSAGE, type_name="HealthCheckResponse"
                        ),
                    ],
                    options=MessageOptions(map_entry=True),
                )
            ],
            field=[Field(name="statuses", number=1, label=_MANY, type=_MESSAGE, type_name="StatusesEntry")],
        ),
    ],
    service=[
        Service(
            name="Health",
            method=[
                Rpc(name="Check", input_type="HealthCheckRequest", output_type="HealthCheckResponse"),
                Rpc(name="List", input_type="HealthListRequest", output_type="HealthListResponse"),
                Rpc(
                    name="Watch",
                    input_type="HealthCheckRequest",
                    output_type="HealthCheckResponse",
                    server_streaming=True,
                ),
            ],
        )
    ],
)

_POOL = DescriptorPool()
_POOL.Add(_FILE)

DESCRIPTOR: FileDescriptor = _POOL.FindFileByName(_FILE.name)
"""The file that defines these messages and the health service."""


def _message(name: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import ClassVar

    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.message import Message as _Message

    class HealthCheckRequest(_Message):
        """Asks about one service; "" for the whole server."""

        service: str

        def __init__(self, *, service: str = "") -> None: ...

    class HealthCheckResponse(_Message):
        """The status of one service."""

        UNKNOWN: ClassVar[int]
        SERVING: ClassVar[int]
        NOT_SERVING: ClassVar[int]
        SERVICE_UNKNOWN: ClassVar[int]
        status: int

        def __init__(self, *, status: int = 0) -> None: ...

    class HealthListRequest(_Message):
        """Asks about all services."""

    class HealthListResponse(_Message):
        """The statuses of all services, by the names they are reported under."""

        statuses: MutableMapping[str, HealthCheckResponse]

else:
    HealthCheckRequest = _message("HealthCheckRequest")
    HealthCheckResponse = _message("HealthCheckResponse")
    HealthListRequest = _message("HealthListRequest")
    HealthListResponse = _message("HealthListResponse")
