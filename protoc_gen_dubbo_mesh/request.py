"""What protoc asks for: the bytes on standard input, parsed and looked through."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.message import DecodeError, Message

from .errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor_pb2 import FileDescriptorProto

_OUR_OPTIONS = "dubbo_mesh/v1/options.proto"


class MalformedRequestError(Exception):
    """Standard input holds no request: nobody can be answered."""


class Request(NamedTuple):
    """A request for code.

    Attributes:
        parameter: the plugin's parameters as one string.
        generate: the files to generate from.
        files: all files by name, those that `generate` imports included.
        has_mesh_options: whether any of them may use our options.
    """

    parameter: str
    generate: tuple[FileDescriptorProto, ...]
    files: Mapping[str, FileDescriptorProto]
    has_mesh_options: bool


def parse(data: bytes) -> CodeGeneratorRequest:
    """Reads a request.

    Raises:
        MalformedRequestError: `data` is none.
    """
    if _OUR_OPTIONS.encode() in data:
        # Registers our options, so that they are parsed with the rest.
        import_module("dubbo_mesh.v1.options_pb2")
    try:
        return CodeGeneratorRequest.FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise MalformedRequestError("standard input is not a CodeGeneratorRequest") from error


def examine(message: CodeGeneratorRequest) -> Request:
    """Looks through a request.

    Raises:
        MalformedRequestError: it asks for nothing.
        GenerationError: it asks for a file that it does not hold.
    """
    files = {file.name: file for file in message.proto_file}
    names = message.file_to_generate
    if not names:
        raise MalformedRequestError("standard input asks for no file")
    for name in names:
        if name not in files:
            raise GenerationError(f"the request asks for {name!r} but does not hold it")
    generate = tuple(files[name] for name in names)
    return Request(message.parameter, generate, files, _OUR_OPTIONS in files)


def is_all_text(request: CodeGeneratorRequest) -> bool:
    """Whether all strings of a request are text.

    protobuf lets others through in descriptors, as bytes or as errors on reading, and whoever meets one
    fails. To look for them first would take longer than all the rest.
    """

    def is_text(message: Message) -> bool:
        for field, value in message.ListFields():
            values: Any = [value] if isinstance(value, bytes | str | Message | int | float) else value
            if field.type == field.TYPE_STRING and not all(isinstance(one, str) for one in values):
                return False
            if field.type == field.TYPE_MESSAGE and not all(map(is_text, values)):
                return False
        return True

    try:
        return is_text(request)
    except UnicodeDecodeError:
        return False
