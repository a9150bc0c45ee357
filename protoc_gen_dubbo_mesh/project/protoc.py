"""Runs the protoc of grpcio-tools."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from ..errors import GenerationError, printable
from .paths import from_text, to_text
from .plugins import ALWAYS_RUN
from .settings import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .plugins import Program
    from .sources import Sources

_NAMES_A_FILE = re.compile(r"(.+?\.proto)(?=:)")


class ProtocError(GenerationError):
    """protoc reports errors in the protos; the message has one line for each."""

    def __init__(self, complaints: list[str]) -> None:
        Exception.__init__(self, "\n".join(complaints))


class Protoc:
    """protoc, with the protos and generators of a run.

    Args:
        sources: the protos.
        generators: what generates from them.
        work: an empty directory for temporary files.
    """

    def __init__(self, sources: Sources, generators: Sequence[Program], work: Path) -> None:
        self._sources = sources
        self._generators = generators
        self._work = work

    def generate(self, into: Path) -> tuple[bytes, list[str]]:
        """Runs all generators.

        Returns:
            All files, including imported ones, as a serialized FileDescriptorSet; and protoc's warnings.

        Raises:
            ProtocError: protoc or a plugin reports errors, or two generators write the same file.
        """
        descriptors = self._work / "descriptors.bin"
        done = self._run(
            [f"--descriptor_set_out={descriptors.name}", "--include_imports", "--include_source_info"],
            {generator.name: into for generator in self._generators},
        )
        complaints = [
            with_path(printable(line), self._sources)
            for line in (done.stderr + done.stdout).splitlines()
            if line
        ]
        if done.returncode:
            raise ProtocError(
                self._conflicts(complaints)
                or complaints
                or [f"protoc exited with status {done.returncode} without a message"]
            )
        return descriptors.read_bytes(), complaints

    def writers(self, file: str) -> list[str]:
        """The names of the generators that write `file`, found by running each by itself."""
        into = {generator.name: self._work / f"by {generator.name}" for generator in self._generators}
        for directory in into.values():
            directory.mkdir(exist_ok=True)
        self._run([], into)
        return [name for name, directory in into.items() if (directory / from_text(file)).exists()]

    def _conflicts(self, complaints: list[str]) -> list[str]:
        for complaint in complaints:
            file, separator, _ = complaint.partition(": Tried to write the same file twice")
            if separator:
                # protoc runs one plugin after the other, and names none of them.
                return [conflict(file, self.writers(file))]
        return []

    def _run(self, arguments: Sequence[str], into: Mapping[str, Path]) -> subprocess.CompletedProcess[str]:
        lines = [
            # protoc splits VIRTUAL=REAL at the first "="; the virtual directory is empty here.
            *(f"--proto_path=={to_text(directory)}" for directory in self._sources.search),
            *arguments,
        ]
        for name, opt, executable, _ in self._generators:
            if executable is not None:
                lines.append(f"--plugin=protoc-gen-{name}={to_text(executable)}")
            # Relative, since protoc splits at a ":" of the path.
            lines.append(f"--{name}_out={to_text(os.path.relpath(into[name], self._work))}")
            lines += [f"--{name}_opt={parameter}" for parameter in opt]
        file = self._work / "arguments"
        text = "\n".join((*lines, *self._sources.files))
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        # -P and an empty working directory, so that files of the project cannot hide Python's modules.
        return subprocess.run(  # noqa: S603
            [sys.executable, "-P", "-m", "grpc_tools.protoc", f"@{file.name}"],
            cwd=self._work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )


def conflict(file: str, generators: Sequence[str]) -> str:
    """The message about a file that several generators write."""
    plugins = [name for name in generators if name not in ALWAYS_RUN]
    if "pyi" in generators:
        remedy = 'set pyi = "none" to use the file of the plugin'
    else:
        remedy = f"remove {' or '.join(plugins)} from plugins"
    return f"{file} is written by {' and by '.join(generators)}: {remedy}"


def with_path(line: str, sources: Sources) -> str:
    """A message of protoc or the plugin, with the proto's name at its beginning replaced by the path."""
    named = _NAMES_A_FILE.match(line)
    file = sources.locate(named[1]) if named else None
    return line if named is None or file is None else shown(file) + line[named.end() :]
