"""Compiles protos to requests and to protoc's own modules, with the protoc of grpc_tools."""

from __future__ import annotations

import importlib.resources
import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protoc_gen_dubbo_mesh.plugin import run
from protoc_gen_dubbo_mesh.project.sources import proto_path

GRPC_TOOLS_PROTOS = str(importlib.resources.files("grpc_tools") / "_proto")


class Generated(NamedTuple):
    """The plugin's response."""

    files: dict[str, str]
    error: str
    warnings: tuple[str, ...]


def protoc(root: Path, *arguments: str) -> None:
    """Runs protoc on files below `root`."""
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", f"-I{proto_path()}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def descriptors(root: Path, protos: Sequence[str], scratch: Path) -> FileDescriptorSet:
    """`protos` below `root`, compiled, with everything that they import."""
    target = scratch / "descriptors.bin"
    protoc(root, "--include_imports", "--include_source_info", f"--descriptor_set_out={target}", *protos)
    return FileDescriptorSet.FromString(target.read_bytes())


def request(files: FileDescriptorSet, generate: Sequence[str], parameter: str = "") -> bytes:
    """The request that protoc would send to a plugin."""
    asked = CodeGeneratorRequest(file_to_generate=generate, parameter=parameter, proto_file=files.file)
    return asked.SerializeToString()


def generate(files: FileDescriptorSet, names: Sequence[str], parameter: str = "") -> Generated:
    """Runs the plugin in this process."""
    result = run(BytesIO(request(files, names, parameter)))
    response = CodeGeneratorResponse.FromString(b"".join(result.response))
    return Generated({file.name: file.content for file in response.file}, response.error, result.warnings)


def generate_proto(source: str, scratch: Path, parameter: str = "", name: str = "test.proto") -> Generated:
    """Runs the plugin on one proto, given as text."""
    scratch.joinpath(name).write_text(source, encoding="utf-8")
    return generate(descriptors(scratch, [name], scratch), [name], parameter)
