"""The plugin's own process against a plugin that only parses the request.

Both are given the same stored requests on their standard input, as protoc would.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from benchmarks.imports import wide_proto
from benchmarks.measuring import Row, python, row, usage, usage_pairs
from tests.corpus.generate import compile_corpus
from tests.corpus.sources import CORPORA

ROOT = Path(__file__).parents[1]
REQUESTS = ROOT / ".cache" / "requests"
OURS = [str(Path(sys.executable).with_name("protoc-gen-dubbo-mesh"))]
_PEAK = 1.2  # times the memory of the no-op plugin: our budget
NOOP = python(str(Path(__file__).with_name("noop_plugin.py")))


_SAVES_ITS_REQUEST = "#!{python}\nimport sys\nopen({file!r}, 'wb').write(sys.stdin.buffer.read())\n"


def request_for(root: Path, protos: list[str], includes: list[str]) -> CodeGeneratorRequest:
    """What protoc sends to a plugin for these files."""
    with tempfile.TemporaryDirectory() as name:
        saved, plugin = Path(name) / "request", Path(name) / "plugin"
        plugin.write_text(_SAVES_ITS_REQUEST.format(python=sys.executable, file=str(saved)))
        plugin.chmod(0o755)
        files = Path(name) / "files"
        files.write_text("\n".join(protos))
        command = python(
            "-m",
            "grpc_tools.protoc",
            f"--plugin=protoc-gen-save={plugin}",
            f"--save_out={name}",
            *(f"-I{include}" for include in (str(root), *includes)),
            f"@{files}",
        )
        subprocess.run(command, check=True, capture_output=True)
        return CodeGeneratorRequest.FromString(saved.read_bytes())


def services_in(request: CodeGeneratorRequest) -> int:
    """How many services are to be generated."""
    chosen = set(request.file_to_generate)
    return sum(len(file.service) for file in request.proto_file if file.name in chosen)


def with_services(request: CodeGeneratorRequest, least: int) -> CodeGeneratorRequest:
    """The request for so many of its files that they hold `least` services, with all that these import."""
    by_name = {file.name: file for file in request.proto_file}
    chosen: list[str] = []
    services = 0
    for name in request.file_to_generate:
        if services >= least:
            break
        if by_name[name].service:
            chosen.append(name)
            services += len(by_name[name].service)
    needed: set[str] = set()

    def need(name: str) -> None:
        if name not in needed:
            needed.add(name)
            for imported in by_name[name].dependency:
                need(imported)

    for name in chosen:
        need(name)
    smaller = CodeGeneratorRequest(file_to_generate=chosen, compiler_version=request.compiler_version)
    smaller.proto_file.extend(file for file in request.proto_file if file.name in needed)
    return smaller


def synthetic(services: int) -> CodeGeneratorRequest:
    """A request for that many services of ten rpcs each, a file for each ten."""
    one = wide_proto(10).partition("message M {}\n")[2]
    with tempfile.TemporaryDirectory() as name:
        for number in range(services // 10):
            several = "".join(one.replace("Wide", f"Wide{each}") for each in range(10))
            text = f'syntax = "proto3";\npackage bench.p{number};\nmessage M {{}}\n{several}'
            (Path(name) / f"f{number}.proto").write_text(text)
        return request_for(Path(name), [f"f{number}.proto" for number in range(services // 10)], [])


class Task(NamedTuple):
    """A request that plugins are measured with.

    Attributes:
        what: names it.
        request: the request.
        rounds: how often each plugin answers it.
        cpu: our budget in the median, times the no-op plugin's CPU.
        quartile: likewise, in the upper quartile.
    """

    what: str
    request: CodeGeneratorRequest
    rounds: int
    cpu: float
    quartile: float = math.inf

    def stored(self) -> str:
        """The path of a file that has the request."""
        path = REQUESTS / self.what.replace(" ", "-")
        REQUESTS.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.request.SerializeToString())
        return str(path)


def tasks() -> Iterator[Task]:
    """From one small file to all of Google's."""
    greeter = request_for(ROOT / "examples" / "greeter", ["greeter.proto"], [str(ROOT / "runtime")])
    yield Task("one small file", greeter, 25, 1.15)
    corpus = google_apis()
    some = with_services(corpus, 250)
    yield Task(f"{services_in(some)} services of Google's", some, 15, 1.3)
    yield Task(f"all {services_in(corpus)} services of Google's", corpus, 21, 1.5, 2.0)


def compare(task: Task) -> Iterator[Row]:
    """Our plugin over the no-op plugin."""
    taken, peaks = usage_pairs(NOOP, OURS, task.rounds, task.stored())
    yield row(f"{task.what}: CPU", taken, 1000, "ms", task.cpu, most_quartile=task.quartile)
    yield row(f"{task.what}: memory at its peak", peaks, 1, "MiB", _PEAK)


def noop_in(directory: Path) -> Path:
    """The no-op plugin as one file, as compilers of protos want it."""
    plugin = directory / "protoc-gen-noop"
    plugin.write_text(f'#!/bin/sh\nexec "{NOOP[0]}" "{NOOP[1]}"\n')
    plugin.chmod(0o755)
    return plugin


def compare_protoc(what: str, request: CodeGeneratorRequest, rounds: int) -> Iterator[Row]:
    """protoc with our plugin and with its own `grpc_python_out`, over protoc with the no-op plugin."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "descriptors").write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        (work / "files").write_text("\n".join(request.file_to_generate))
        (work / "out").mkdir()
        noop = noop_in(work)

        def protoc(generator: str, *options: str) -> list[str]:
            out = f"--{generator}_out={work / 'out'}"
            descriptors = f"--descriptor_set_in={work / 'descriptors'}"
            return python("-m", "grpc_tools.protoc", *options, descriptors, out, f"@{work / 'files'}")

        base = protoc("noop", f"--plugin={noop}")
        ours = protoc("dubbo-mesh", f"--plugin={OURS[0]}")
        for generator, command in {
            "**protoc-gen-dubbo-mesh**": ours,
            "grpc_python_out": protoc("grpc_python"),
        }.items():
            taken, _ = usage_pairs(base, command, rounds)
            yield row(f"{what}, protoc and all: {generator}, CPU", taken, 1000, "ms")


def compare_buf(directories: int, rounds: int) -> Iterator[Row]:
    """`buf generate`, which starts the plugin once for each directory unless it is told otherwise."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for number in range(directories):
            proto = work / "protos" / f"p{number}" / "wide.proto"
            proto.parent.mkdir(parents=True)
            proto.write_text(wide_proto(10).replace("package bench", f"package p{number}"))

        def buf(plugin: str, strategy: str = "directory") -> list[str]:
            chosen = {"local": plugin, "out": str(work / "out"), "strategy": strategy}
            template = json.dumps({"version": "v2", "plugins": [chosen]})
            command = str(Path(sys.executable).with_name("buf"))
            return [command, "generate", "--template", template, str(work / "protos")]

        what = f"{directories} directories by buf"
        taken, _ = usage_pairs(buf(str(noop_in(work))), buf(OURS[0]), rounds)
        yield row(f"{what}: **protoc-gen-dubbo-mesh**, CPU", taken, 1000, "ms")
        taken, _ = usage_pairs(buf(OURS[0]), buf(OURS[0], "all"), rounds)
        yield row(f"{what}: `strategy: all` over buf's default, CPU", taken, 1000, "ms")


def google_apis() -> CodeGeneratorRequest:
    """The request for all Google APIs that npm's google-proto-files has, fetched if need be."""
    cache = ROOT / ".cache" / "corpora"
    descriptors = cache / "work" / "google-apis" / "descriptors"
    if not descriptors.exists():
        compile_corpus(next(corpus for corpus in CORPORA if corpus.name == "google-apis"), cache)
    request = CodeGeneratorRequest()
    request.proto_file.extend(FileDescriptorSet.FromString(descriptors.read_bytes()).file)
    request.file_to_generate.extend(file.name for file in request.proto_file if file.service)
    return request


def growth() -> Row:
    """Ten times the services: how many times the CPU. So many that Python's own start is little of either."""
    REQUESTS.mkdir(parents=True, exist_ok=True)
    stored = {services: REQUESTS / f"synthetic-{services}" for services in (1_000, 10_000)}
    for services, file in stored.items():
        file.write_bytes(synthetic(services).SerializeToString())
    few, many = (str(file) for file in stored.values())
    pairs = [(usage(OURS, few).cpu, usage(OURS, many).cpu) for _ in range(7)]
    return row("10,000 services over 1,000, CPU", pairs, 1000, "ms", 11)


def measure() -> Iterator[Row]:
    for task in tasks():
        yield from compare(task)
        yield from compare_protoc(task.what, task.request, min(task.rounds, 15) if task.cpu < 1.5 else 3)
    yield from compare_buf(64, 7)
    yield growth()


if __name__ == "__main__":
    for each in measure():
        print(each.markdown(), flush=True)
