"""The plugin's own process against a plugin that only parses the request, and against its peers.

Every plugin is given the same stored requests on its standard input, as protoc would.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import venv
from collections.abc import Collection, Iterator
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from benchmarks.imports import wide_proto
from benchmarks.measuring import Failure, Row, python, row, usage, usage_pairs
from tests.corpus.generate import compile_corpus
from tests.corpus.sources import CORPORA

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".cache" / "peers"
REQUESTS = ROOT / ".cache" / "requests"
OURS = [str(Path(sys.executable).with_name("protoc-gen-dubbo-mesh"))]
_PEAK = 1.2  # times the memory of the no-op plugin: our budget
NOOP = python(str(Path(__file__).with_name("noop_plugin.py")))

# What each is called on PyPI, and its plugin.
PEER_PLUGINS = {
    "mypy-protobuf": "protoc-gen-mypy_grpc",
    "grpclib": "protoc-gen-grpclib_python",
    "betterproto2-compiler": "protoc-gen-python_betterproto2",
    "protoc-gen-connectrpc": "protoc-gen-connectrpc",
    "protoc-gen-grpc-py": "protoc-gen-grpc-py",
}

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


@cache
def peers() -> dict[str, list[str]]:
    """The command of each peer's plugin, by its name and version, in an environment of their own."""
    installed = PEERS / "installed"
    if not installed.exists():
        venv.create(PEERS, with_pip=True, clear=True)
        pip = [str(PEERS / "bin" / "pip"), "install", "--quiet"]
        subprocess.run([*pip, *PEER_PLUGINS, "ruff"], check=True)  # ruff is what betterproto2 formats with
        installed.touch()
    [packages] = PEERS.glob("lib/*/site-packages")
    commands: dict[str, list[str]] = {}
    for name, plugin in PEER_PLUGINS.items():
        [package] = distributions(name=name, path=[str(packages)])
        commands[f"{name} {package.version}"] = [str(PEERS / "bin" / plugin)]
    return commands


def compare(
    what: str,
    request: CodeGeneratorRequest,
    rounds: int,
    cpu: float,
    slow: Collection[str] = (),
    quartile: float = math.inf,
) -> Iterator[Row | Failure]:
    """Ours, then each peer, over the no-op plugin; those that are `slow` only once.

    `cpu` is our budget in the median, `quartile` that of the upper quartile.
    """
    stored = REQUESTS / what.replace(" ", "-")
    REQUESTS.mkdir(parents=True, exist_ok=True)
    stored.write_bytes(request.SerializeToString())
    for name, command in {"**protoc-gen-dubbo-mesh**": OURS, **peers()}.items():
        ours = command is OURS
        is_slow = name.partition(" ")[0] in slow
        try:
            taken, peaks = usage_pairs(NOOP, command, 1 if is_slow else rounds, str(stored))
        except RuntimeError as error:
            yield Failure(f"{what}: {name}", str(error).splitlines()[-1][-150:])
            continue
        budget = cpu if ours else None
        yield row(f"{what}: {name}, CPU", taken, 1000, "ms", budget, most_quartile=quartile)
        yield row(f"{what}: {name}, memory at its peak", peaks, 1, "MiB", _PEAK if ours else None)


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


def measure() -> Iterator[Row | Failure]:
    greeter = request_for(ROOT / "examples" / "greeter", ["greeter.proto"], [str(ROOT / "runtime")])
    yield from compare("one small file", greeter, 25, 1.15)
    yield from compare_protoc("one small file", greeter, 15)
    corpus = google_apis()
    some = with_services(corpus, 250)
    some_what = f"{services_in(some)} services of Google's"
    yield from compare(some_what, some, 15, 1.3)
    yield from compare_protoc(some_what, some, 7)
    yield from compare_buf(64, 7)
    slow = ("betterproto2-compiler", "protoc-gen-connectrpc", "protoc-gen-grpc-py")  # minutes
    all_what = f"all {services_in(corpus)} services of Google's"
    yield from compare(all_what, corpus, 21, 1.5, slow, quartile=2.0)
    yield from compare_protoc(all_what, corpus, 3)
    yield growth()


if __name__ == "__main__":
    for each in measure():
        print(each.markdown(), flush=True)
