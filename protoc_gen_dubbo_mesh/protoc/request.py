"""Reads protoc's request from standard input, one file at a time, since requests can be large."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.message import DecodeError

from ..errors import GenerationError
from .descriptors_pb2 import FileDescriptorProto
from .message_index import MessageIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

OPTIONS_FILE = "dubbo_mesh/v1/options.proto"

# Numbers of CodeGeneratorRequest's fields, from google/protobuf/compiler/plugin.proto.
_FILE_TO_GENERATE = 1
_PARAMETER = 2
_COMPILER_VERSION = 3
_PROTO_FILE = 15
_SOURCE_FILE_DESCRIPTORS = 17

# Of protobuf's wire format (https://protobuf.dev/programming-guides/encoding).
_VARINT = 0
_LENGTH_DELIMITED = 2
_FIXED_SIZES = {1: 8, 5: 4}
_LONGEST_VARINT = 10 * 7  # bits
_LARGEST = 2**31 - 1  # bytes in a message


class MalformedRequestError(Exception):
    """Standard input holds no request, so no response can be given."""


class Request(NamedTuple):
    """A request for code.

    Attributes:
        parameter: the plugin's parameters as one string.
        generate: the files to generate from, except those without services. Files are removed once they
            are processed: together they make up most of a run's memory.
        messages: the messages of all files, including those that are only imported.
        has_mesh_options: whether any of the files may use our options.
        buf_directories: the directories of the files to generate from, if buf sends the request; there may be
            further requests then, for others.
    """

    parameter: str
    generate: deque[FileDescriptorProto]
    messages: MessageIndex
    has_mesh_options: bool
    buf_directories: frozenset[str] = frozenset()


def read(stream: BinaryIO) -> Request:
    """Reads a request.

    Raises:
        MalformedRequestError: the stream holds no request, or the request names no file.
        GenerationError: the request names a file that it does not contain.
    """
    names: list[str] = []
    parameter = ""
    by_buf = by_protoc = False
    messages = MessageIndex()
    with_services: dict[str, FileDescriptorProto] = {}
    try:
        for number, value in _fields(stream):
            if number == _PROTO_FILE:
                file = FileDescriptorProto.FromString(value)
                messages.add(file)
                if file.service:
                    with_services[file.name] = file
            elif number == _FILE_TO_GENERATE:
                names.append(value.decode())
            elif number == _PARAMETER:
                parameter = value.decode()
            elif number == _SOURCE_FILE_DESCRIPTORS:
                by_buf = True
            elif number == _COMPILER_VERSION:
                by_protoc = True
    except (DecodeError, UnicodeDecodeError) as error:
        raise MalformedRequestError("standard input is not a CodeGeneratorRequest") from error
    if not names:
        raise MalformedRequestError("standard input names no file to generate from")
    for name in names:
        if name not in messages.files:
            raise GenerationError(f"the request names {name!r} but does not contain it")
    generate = deque(with_services[name] for name in names if name in with_services)
    # Copies may be imported from another directory, as "third_party/dubbo_mesh/v1/options.proto".
    has_options = any(name.endswith(OPTIONS_FILE) for name in messages.files)
    directories = (name.rpartition("/")[0] for name in names if by_buf and not by_protoc)
    return Request(parameter, generate, messages, has_options, frozenset(directories))


def _fields(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a serialized message, one at a time, with their numbers."""
    while beginning := stream.read(1):
        tag = _varint(stream, beginning)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise DecodeError("a field of number 0")
        if kind == _LENGTH_DELIMITED:
            yield number, _exactly(stream, _varint(stream, stream.read(1)))
        elif kind == _VARINT:
            _varint(stream, stream.read(1))
        elif kind in _FIXED_SIZES:
            _exactly(stream, _FIXED_SIZES[kind])
        else:
            raise DecodeError(f"a field of wire type {kind}")


def _varint(stream: BinaryIO, byte: bytes) -> int:
    """Reads the number whose first byte is `byte`."""
    number = shift = 0
    while byte >= b"\x80" and shift < _LONGEST_VARINT:
        number |= (byte[0] & 0x7F) << shift
        shift += 7
        byte = stream.read(1)
    if not byte or shift == _LONGEST_VARINT:
        raise DecodeError("a number without an end")
    return number | byte[0] << shift


def _exactly(stream: BinaryIO, size: int) -> bytes:
    if size > _LARGEST:
        raise DecodeError(f"a field of {size} bytes")
    value = stream.read(size)
    if len(value) < size:
        raise DecodeError("a field is cut short")
    return value
