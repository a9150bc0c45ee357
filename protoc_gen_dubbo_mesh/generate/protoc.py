"""Runs protoc, the one that grpcio-tools brings."""

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
    """protoc refuses the protos; each of its complaints is a line."""

    def __init__(self, complaints: list[str]) -> None:
        Exception.__init__(self, "\n".join(complaints))


def compile_messages(sources: Sources, into: Path, work: Path) -> tuple[bytes, list[str]]:
    """Writes the modules of the messages, with their types.

    Args:
        sources: the protos.
        into: the directory to write to.
        work: a directory for files on the way, itself thrown away later.

    Returns:
        All files as a FileDescriptorSet, those that are imported included; and protoc's warnings.

    Raises:
        ProtocError: protoc refuses.
    """
    descriptors, arguments = work / "descriptors.bin", work / "arguments"
    arguments.write_text(
        "\n".join(
            (
                # A first "=" parts a virtual directory from the real one: ours has none.
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
    # -P, and an empty directory to start in: what lies around here must not hide Python's modules.
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
        raise ProtocError(complaints or [f"protoc ended with status {done.returncode} and said nothing"])
    return descriptors.read_bytes(), complaints


def with_path(line: str, sources: Sources) -> str:
    """A line of protoc's or the plugin's, with the path of the file that it names by its proto's name."""
    named = _NAMES_A_FILE.match(line)
    file = sources.locate(named[1]) if named else None
    return line if named is None or file is None else shown(file) + line[named.end() :]
