"""Compiling a corpus: protoc's messages, protoc's gRPC modules and ours, side by side."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.corpus import descriptors
from tests.corpus.sources import Corpus, fetched

PLUGIN = Path(sys.executable).with_name("protoc-gen-dubbo-mesh")

# protobuf brings the modules of these itself.
OF_PROTOBUF = "google/protobuf/"

DESCRIPTORS = "descriptors"
PARTS = 3  # runs that must together give what one run gives


@dataclass
class Compiled:
    """A corpus, compiled.

    Attributes:
        directory: where all that was generated is.
        services: the services of each file, and the rpcs of each service.
        refused: the files that protoc does not accept, and why.
        seconds: how long our plugin's run of protoc took.
        error: what our plugin said when it gave nothing; empty otherwise.
        unstable: the modules that several runs, in another order and with other hash seeds, gave otherwise.
    """

    directory: Path
    services: dict[str, dict[str, list[str]]]
    refused: dict[str, str]
    seconds: float = 0.0
    error: str = ""
    unstable: tuple[str, ...] = ()


class ProtocError(Exception):
    """protoc failed; the text is what it said."""


def protoc(work: Path, *arguments: str, hash_seed: str = "random") -> None:
    """Runs protoc with any number of arguments.

    Raises:
        ProtocError: its exit status is not 0.
    """
    argument_file = work / "arguments"
    argument_file.write_text("\n".join(arguments))
    done = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"@{argument_file}"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ProtocError(done.stderr)


def compile_corpus(corpus: Corpus, cache: Path) -> Compiled:
    """Fetches and compiles `corpus`; what an earlier run left is made anew."""
    work = cache / "work" / corpus.name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    directories = [fetched(package, cache) for package in corpus.packages]
    if corpus.roots:
        files, refused = _describe(directories, corpus.roots, work)
        return compile_files(files, refused, work)
    return compile_modules((path for root in directories for path in sorted(root.rglob("*_pb2.py"))), work)


def compile_modules(modules: Iterable[Path], work: Path) -> Compiled:
    """Compiles, below `work`, what protoc once made `modules` of, which are all `_pb2.py`."""
    collected, refused = descriptors.collect(modules)
    (work / DESCRIPTORS).write_bytes(collected.SerializeToString())
    return compile_files([file.name for file in collected.file], refused, work)


def compile_files(files: Iterable[str], refused: dict[str, str], work: Path) -> Compiled:
    """Compiles files that the descriptors in `work` describe."""
    described, out = work / DESCRIPTORS, work / "generated"
    out.mkdir()
    files = sorted(name for name in files if not name.startswith(OF_PROTOBUF))
    asked = set(files)
    compiled = Compiled(
        out,
        {
            file.name: {service.name: [method.name for method in service.method] for service in file.service}
            for file in FileDescriptorSet.FromString(described.read_bytes()).file
            if file.name in asked
        },
        refused,
    )
    with_services = [file for file in files if compiled.services[file]]
    source = f"--descriptor_set_in={described}"
    protoc(work, source, f"--python_out={out}", *files)
    protoc(work, source, f"--grpc_python_out={out}", *with_services)
    ours = (source, f"--plugin=protoc-gen-dubbo-mesh={PLUGIN}")
    began = time.monotonic()
    try:
        protoc(work, *ours, f"--dubbo-mesh_out={out}", *files)
    except ProtocError as error:
        compiled.error = str(error)
        return compiled
    compiled.seconds = time.monotonic() - began
    again = work / "again"
    again.mkdir()
    for part in range(PARTS):
        some = with_services[part::PARTS][::-1]
        protoc(work, *ours, f"--dubbo-mesh_out={again}", *some, hash_seed=str(part))
    first, second = _modules(out), _modules(again)
    compiled.unstable = tuple(
        sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))
    )
    return compiled


def _modules(directory: Path) -> dict[str, bytes]:
    """Our modules below `directory`, by path."""
    paths = directory.rglob("*_mesh.py")
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def _describe(
    directories: list[Path], roots: tuple[str, ...], work: Path
) -> tuple[list[str], dict[str, str]]:
    """Writes the descriptors of the files that protoc accepts, comments and all.

    Returns:
        The names of those files, and what protoc says about the others.
    """
    found = [
        path for directory in directories for root in roots if (path := (directory / root).resolve()).is_dir()
    ]
    files = _virtual_paths(found)
    arguments = [f"-I{root}" for root in found]
    arguments += ["--include_imports", "--include_source_info", f"--descriptor_set_out={work / DESCRIPTORS}"]
    refused: dict[str, str] = {}
    while True:
        try:
            protoc(work, *arguments, *files)
        except ProtocError as error:
            complaints: dict[str, str] = {}
            for match in re.finditer(r"(?m)^(.+?\.proto):(?:\d+:\d+:)? *(.+)", str(error)):
                if not match[2].startswith("warning:"):
                    complaints.setdefault(_virtual_path(match[1], found), match[2])
            bad = complaints.keys() & set(files)
            if not bad:
                raise
            refused.update({name: complaints[name] for name in bad})
            files = [name for name in files if name not in bad]
        else:
            return files, refused


def _virtual_path(shown: str, roots: list[Path]) -> str:
    """The name of a file that protoc shows by its name or by its path."""
    fitting = [root for root in roots if Path(shown).is_relative_to(root)]
    root = max(fitting, key=lambda root: len(root.parts), default=Path())
    return Path(shown).relative_to(root).as_posix()


def _virtual_paths(roots: list[Path]) -> list[str]:
    """How the protos below `roots` are called: each by the deepest root that holds it, none twice."""
    names: dict[str, None] = {}
    for root in roots:
        for path in sorted(root.rglob("*.proto")):
            deepest = max(
                (other for other in roots if path.is_relative_to(other)), key=lambda r: len(r.parts)
            )
            if deepest == root:
                names.setdefault(path.relative_to(root).as_posix())
    return list(names)
