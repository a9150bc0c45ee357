"""Runs the protoc of grpcio-tools."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from ..errors import GenerationError, printable
from .settings import shown

if TYPE_CHECKING:
    from pathlib import Path

    from .sources import Sources

_NAMES_A_FILE = re.compile(r"(.+?\.proto)(?=:)")


class ProtocError(GenerationError):
    """protoc reports errors in the protos; the message has one line for each."""

    def __init__(self, complaints: list[str]) -> None:
        Exception.__init__(self, "\n".join(complaints))


def compile_messages(sources: Sources, into: Path, work: Path) -> tuple[bytes, list[str]]:
    """Writes the messages' modules, `_pb2.py` and `.pyi`.

    Args:
        sources: the protos.
        into: the directory to write to.
        work: a directory for temporary files.

    Returns:
        All files, including imported ones, as a serialized FileDescriptorSet; and protoc's warnings.

    Raises:
        ProtocError: protoc reports errors.
    """
    descriptors, arguments = work / "descriptors.bin", work / "arguments"
    arguments.write_text(
        "\n".join(
            (
                # protoc splits VIRTUAL=REAL at the first "="; the virtual directory is empty here.
                *(f"--proto_path=={directory}" for directory in sources.search),
                f"--descriptor_set_out={descriptors}",
                "--include_imports",
                "--include_source_info",
                f"--python_out={into}",
                f"--pyi_out={into}",
                *sources.files,
            )
        ),
        encoding="utf-8",
    )
    # -P and an empty working directory, so that files of the project cannot hide Python's modules.
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-m", "grpc_tools.protoc", f"@{arguments}"],
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    complaints = [
        with_path(printable(line), sources) for line in (done.stderr + done.stdout).splitlines() if line
    ]
    if done.returncode:
        raise ProtocError(complaints or [f"protoc exited with status {done.returncode} without a message"])
    return descriptors.read_bytes(), complaints


def with_path(line: str, sources: Sources) -> str:
    """A message of protoc or the plugin, with the proto's name at its beginning replaced by the path."""
    named = _NAMES_A_FILE.match(line)
    file = sources.locate(named[1]) if named else None
    return line if named is None or file is None else shown(file) + line[named.end() :]
