"""Requests that are not protobuf: refused with a message that says what the caller has to change.

Dubbo's consumers of plain Java interfaces, without a .proto, wrap their arguments in a protobuf message of
Dubbo's own, `TripleRequestWrapper`: `serializeType`, `args` and `argTypes` (dubbo-rpc-triple,
`TripleCustomerProtocolWrapper`). Its content type is that of any other request, and it parses as most
messages: the handler would run with wrong data. The wrapper of a method without arguments is one string, and
is told apart only where the request has no field 1, as `google.protobuf.Empty`.

JSON in a gRPC message comes from callers with a JSON codec. A body without gRPC's framing, as `curl` sends
it, cannot be told: gRPC's core passes an empty request to Python, and no content type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import grpc

from .._contract.logs import logger
from .._contract.validation import printable
from .answers import Refusal

_log = logger(__name__)

Deserializer = Callable[[bytes], Any]

_WRAPPER = "org.apache.dubbo.triple.TripleRequestWrapper"
_SERIALIZATIONS = (
    # As Dubbo Java 3.3 and dubbo-go 3.3 name them; Triple writes hessian2 as hessian4.
    "hessian4",
    "hessian2",
    "fastjson2",
    "fastjson",
    "msgpack",
    "jackson",
    "gson",
    "json",
    "kryo",
    "kryo2",
    "fst",
    "avro",
    "protostuff",
    "java",
    "compactedjava",
    "nativejava",
    "native-hessian",
)
_FIRST_FIELDS = tuple(b"\n" + bytes([len(name)]) + name.encode() for name in _SERIALIZATIONS)
_HEADS = {name[:3].encode() for name in _SERIALIZATIONS}  # one look-up tells nearly all other requests apart
_ARGUMENT, _TYPE = 0x12, 0x1A  # the tags of the fields 2 and 3, both of bytes
_TYPE_NAME = re.compile(rb"[\x21-\x7e]+")
_JSON = re.compile(rb"\s*[{\[]")


def refusing(deserializer: Deserializer, *, raising: bool) -> Deserializer:
    """`deserializer`, refusing what is not protobuf if it is a message's `FromString`.

    Args:
        deserializer: of a handler.
        raising: whether a `Refusal` is raised; otherwise it takes the place of the request, since grpc
            does not tell handlers of exceptions here.
    """
    message = _message_of(deserializer)
    takes_wrappers = message is None or message.DESCRIPTOR.full_name == _WRAPPER
    heads = set[bytes]() if takes_wrappers else _HEADS
    fewest = int(message is not None and 1 in message.DESCRIPTOR.fields_by_number)

    def refuse(refusal: Refusal) -> Refusal:
        if raising:
            raise refusal
        return refusal

    def deserialize(serialized: bytes) -> Any:
        if serialized[2:5] in heads and is_wrapper(serialized, fewest):
            return refuse(_wrapped(serialized))
        try:
            return deserializer(serialized)
        except Exception as error:  # noqa: BLE001 - whatever a deserializer raises
            if message is not None and _JSON.match(serialized):
                return refuse(_json())
            _log.warning("a request cannot be deserialized: %s", printable(str(error)))
            return refuse(
                Refusal(grpc.StatusCode.INTERNAL, "Exception deserializing request!")  # grpc's own words
            )

    return deserialize


def is_wrapper(serialized: bytes, fewest: int) -> bool:
    """Whether a request is a serialization's name with at least `fewest` arguments and their types."""
    if not serialized.startswith(_FIRST_FIELDS):
        return False
    arguments = types = 0
    position = 2 + serialized[1]
    while position < len(serialized):
        tag = serialized[position]
        try:
            start, end = _field(serialized, position + 1)
        except IndexError:
            return False
        if tag == _ARGUMENT:
            arguments += 1
        elif tag == _TYPE and _TYPE_NAME.fullmatch(serialized, start, end):
            types += 1
        else:
            return False
        position = end
    return arguments == types >= fewest


def _field(serialized: bytes, position: int) -> tuple[int, int]:
    """Where the value of a field of bytes begins and ends, of which the length is at `position`."""
    length = shift = 0
    while True:
        byte = serialized[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    if position + length > len(serialized):
        raise IndexError
    return position, position + length


def _message_of(deserializer: Deserializer) -> Any:
    """The message class that `deserializer` is the `FromString` of; None for others."""
    owner = getattr(deserializer, "__self__", None)
    return owner if isinstance(owner, type) and hasattr(owner, "DESCRIPTOR") else None


def _wrapped(serialized: bytes) -> Refusal:
    serialization = serialized[2 : 2 + serialized[1]].decode()
    return Refusal(
        grpc.StatusCode.UNIMPLEMENTED,
        f"this server takes protobuf, and the request is serialized as {serialization}, as Dubbo does for "
        f"interfaces that come from no .proto: use a stub that is generated from the service's .proto",
    )


def _json() -> Refusal:
    return Refusal(
        grpc.StatusCode.UNIMPLEMENTED,
        "this server takes protobuf, and the request is JSON: use the protobuf codec, with a stub that "
        "is generated from the service's .proto",
    )


def checked(request: Any) -> Any:
    """`request`, unless it is a refusal: then that is raised."""
    if request.__class__ is Refusal:
        raise request
    return request
