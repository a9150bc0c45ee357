"""Runs the protoc of grpcio-tools."""

from __future__ import annotations

import contextlib
import os
import re
import signal
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

_WRITTEN_TWICE = ": Tried to write the same file twice"
_NAMES_A_FILE = re.compile(r"(.+?\.proto)(?=:)")


_LOGGED = re.compile(r"^[IWEF][0-9]{4} [0-9:.]+ +[0-9]+ \S+\] ")
"""How lines of protoc's own log begin, such as its warning of a proto without `syntax`: with a time."""
_LOGS_TO_STDERR = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"


class ProtocError(GenerationError):
    """Errors in the protos that protoc reports; the message has one line for each."""

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
            with_path(printable(_LOGGED.sub("", line)), self._sources)
            for line in (done.stderr + done.stdout).splitlines()
            if line and line != _LOGS_TO_STDERR
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
        return [name for generator in self._generators if self._writes(name := generator.name, file)]

    def _writes(self, name: str, file: str) -> bool:
        directory = self._work / f"by {name}"
        directory.mkdir(exist_ok=True)
        done = self._run([], {name: directory})
        # protoc writes nothing if a plugin alone writes a file twice.
        return (directory / from_text(file)).exists() or f"{file}{_WRITTEN_TWICE}" in done.stderr

    def _conflicts(self, complaints: list[str]) -> list[str]:
        for complaint in complaints:
            file, separator, _ = complaint.partition(_WRITTEN_TWICE)
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
            if name not in into:
                continue
            if executable is not None:
                lines.append(f"--plugin=protoc-gen-{name}={to_text(executable)}")
            # Relative, since protoc splits at a ":" of the path.
            lines.append(f"--{name}_out={to_text(os.path.relpath(into[name], self._work))}")
            lines += [f"--{name}_opt={parameter}" for parameter in opt]
        file = self._work / "arguments"
        text = "\n".join((*lines, *self._sources.files))
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        # -P and an empty working directory, so that files of the project cannot hide Python's modules.
        return _completed([sys.executable, "-P", "-m", "grpc_tools.protoc", f"@{file.name}"], self._work)


def _completed(command: Sequence[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program in a directory. If that is interrupted, all that the program has started ends too."""
    group = 0 if os.name == "posix" else None  # of its own, so that plugins can be ended with protoc
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        process_group=group,
    ) as process:
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):  # it may just have ended
                if os.name == "posix":
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def conflict(file: str, generators: Sequence[str]) -> str:
    """The message about a file that several generators write."""
    plugins = [name for name in generators if name not in ALWAYS_RUN]
    if len(generators) == 1:
        return f"{file} is written twice by {generators[0]}: remove {generators[0]} from plugins"
    if "pyi" in generators:
        remedy = 'set pyi = "none" to use the file of the plugin'
    else:
        remedy = f"remove {' or '.join(plugins)} from plugins"
    return f"{file} is written by {' and by '.join(generators)}: {remedy}"


def with_path(line: str, sources: Sources) -> str:
    """A message of protoc or the plugin, with the file's name at its beginning replaced by the path."""
    for name, parameter_file in sources.parameter_files.items():
        if line.startswith(f"{name}:"):
            return shown(parameter_file) + line[len(name) :]
    named = _NAMES_A_FILE.match(line)
    file = sources.locate(named[1]) if named else None
    return line if named is None or file is None else shown(file) + line[named.end() :]
