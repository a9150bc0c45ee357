"""Descriptors out of the modules that protoc once made, without running those."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf import (
    any_pb2,
    api_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    source_context_pb2,
    struct_pb2,
    timestamp_pb2,
    type_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

WELL_KNOWN = (
    *(any_pb2, api_pb2, descriptor_pb2, duration_pb2, empty_pb2, field_mask_pb2, source_context_pb2),
    *(struct_pb2, timestamp_pb2, type_pb2, wrappers_pb2),
)


def collect(modules: Iterable[Path]) -> tuple[FileDescriptorSet, dict[str, str]]:
    """The files that `modules`, which are all `_pb2.py`, describe; imported files first.

    Returns:
        The files, and why each file that is not among them cannot be.
    """
    known = [FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb) for module in WELL_KNOWN]
    files = {file.name: file for file in known}
    for module in modules:
        for file in _files(module):
            files.setdefault(file.name, file)
    return _in_order(files)


def _files(module: Path) -> Iterator[FileDescriptorProto]:
    """What is given to `AddSerializedFile` or, by an older protoc, to `FileDescriptor` as `serialized_pb`."""
    for node in ast.walk(ast.parse(module.read_bytes())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "AddSerializedFile":
            serialized = node.args[0]
        elif node.func.attr == "FileDescriptor":
            serialized = next(word.value for word in node.keywords if word.arg == "serialized_pb")
        else:
            continue
        assert isinstance(serialized, ast.Constant), f"{module}: no literal descriptor"
        assert isinstance(serialized.value, bytes), f"{module}: no literal descriptor"
        yield FileDescriptorProto.FromString(serialized.value)


def _in_order(files: dict[str, FileDescriptorProto]) -> tuple[FileDescriptorSet, dict[str, str]]:
    ordered = FileDescriptorSet()
    placed: set[str] = set()
    refused: dict[str, str] = {}

    def place(name: str) -> str | None:
        """Why the file cannot be placed; None once it is."""
        if name in placed or name in refused:
            return refused.get(name)
        file = files.get(name)
        if file is None:
            return f"{name} is in no package"
        for dependency in file.dependency:
            if cause := place(dependency):
                refused[name] = cause
                return cause
        placed.add(name)
        ordered.file.append(file)
        return None

    for name in files:
        place(name)
    return ordered, refused
