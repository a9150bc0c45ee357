"""A process loads only what it uses, so that it starts quickly and needs little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.calling.chain import on_threads
from tests.calling.echo import EchoServicer
from tests.generator.compiling import descriptors, request

CLIENT = """
import asyncio, sys

import grpc
from google.protobuf.wrappers_pb2 import StringValue

before = set(sys.modules)

from dubbo_mesh import EnvoyHeaders
from tests.calling.echo import EchoAsyncStub, EchoStub

async def call():
    async with EchoAsyncStub(target=sys.argv[1]) as stub:
        await stub.unary(StringValue(), timeout=10, envoy=EnvoyHeaders(max_retries=1, retry_on="reset"))

with EchoStub(target=sys.argv[1]) as stub:
    for run in (lambda: stub.unary(StringValue(), timeout=10), lambda: asyncio.run(call())):
        try:
            run()
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED, error

print(*(name for name in sys.modules if name not in before))
"""

SERVER = """
import sys

import grpc
from google.protobuf.wrappers_pb2 import StringValue

before = set(sys.modules)

import dubbo_mesh
from tests.calling.echo import EchoServicer
from tests.generator.compiling import descriptors, request

with dubbo_mesh.Server(EchoServicer(), address="127.0.0.1:0", probes="127.0.0.1:0", sidecar="off", drain=0):
    pass

print(*(name for name in sys.modules if name not in before))
"""

FACE = """
import sys

before = set(sys.modules)

import dubbo_mesh, dubbo_mesh.aio

print(*(name for name in sys.modules if name not in before))
"""


def loaded(program: str, *arguments: str) -> list[str]:
    """The modules that `program` prints."""
    command = [sys.executable, "-c", program, *arguments]
    root = Path(__file__).parents[2]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root).stdout.split()


def of_package(names: list[str], *packages: str) -> list[str]:
    """Those of the runtime's modules that are in these packages."""
    return [name for name in names if name.startswith(tuple(f"dubbo_mesh.{each}" for each in packages))]


@pytest.fixture(scope="module")
def client() -> list[str]:
    with on_threads(EchoServicer()) as address:
        return loaded(CLIENT, address)


class TestAClient:
    def test_loads_what_calls_need(self, client: list[str]) -> None:
        assert {"dubbo_mesh._calling.stub", "dubbo_mesh._calling.aio_stub"} <= set(client)
        assert of_package(client, "_doctor", "_health", "_sidecar") == []
        # The base classes of servicers are in every generated module.
        bases = {"dubbo_mesh._serving", "dubbo_mesh._serving.servicer", "dubbo_mesh._serving.aio_servicer"}
        assert set(of_package(client, "_serving")) <= bases

    def test_loads_little_of_pythons_library(self, client: list[str]) -> None:
        heavy = (
            "dubbo_mesh._context.client_cert",
            "grpc_health",
            "http",
            "importlib.metadata",
            "ipaddress",
            "json",
            "secrets",
            "socketserver",
            "urllib",
            "uuid",
        )
        assert [name for name in client if name.startswith(heavy)] == []


def test_a_server_on_threads_loads_neither_the_doctor_nor_what_is_for_asyncio() -> None:
    server = loaded(SERVER)
    assert "dubbo_mesh._serving.server" in server
    assert of_package(server, "_doctor") == []
    assert [name for name in server if name.startswith(("grpc_health", "grpc_reflection"))] == []
    # The base classes of servicers and stubs are in every generated module.
    bases = {"dubbo_mesh._serving.aio_servicer", *of_package(server, "_calling")}
    assert {name for name in of_package(server, "_") if ".aio_" in name} <= bases


COMMAND_LINE = """
import contextlib, io, sys

before = set(sys.modules)

from dubbo_mesh.__main__ import main

with contextlib.redirect_stdout(io.StringIO()):
    assert main(sys.argv[1:]) == 0

print(*(name for name in sys.modules if name not in before))
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["doctor", "--help"],
        ["doctor", "--explain", "DM301"],
        ["explain"],
        ["completion", "bash"],
    ],
    ids=" ".join,
)
def test_only_the_doctor_itself_loads_grpc(arguments: list[str]) -> None:
    names = loaded(COMMAND_LINE, *arguments)
    assert "dubbo_mesh._doctor.arguments" in names
    heavy = ("grpc", "google", "json", "http", "socket", "logging", "importlib.metadata", "difflib")
    assert [name for name in names if name.startswith(heavy)] == []
    rooms = ("command", "program", "envoy", "addressing", "sidecar", "policy", "serving")
    assert of_package(names, *(f"_doctor.{room}" for room in rooms)) == []


def test_the_public_faces_load_nothing() -> None:
    ours = [name for name in loaded(FACE) if name.startswith(("dubbo_mesh", "google", "grpc", "logging"))]
    assert sorted(ours) == ["dubbo_mesh", "dubbo_mesh.aio"]


PLUGIN = """
import sys

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

before = set(sys.modules)

from protoc_gen_dubbo_mesh.plugin import run

result = run(sys.stdin.buffer)
assert b"class GreeterAsyncStub" in b"".join(result.response), result

print(*(name for name in sys.modules if name not in before))
"""


HEAVY = ("argparse", "black", "dataclasses", "inspect", "jinja2", "json", "logging", "pathlib", "tomllib")
"""Modules that take long to load, and that no run over one small file may need."""


def loaded_by_plugin(parameter: str, scratch: Path) -> list[str]:
    """The modules that the plugin loads for the greeter."""
    root = Path(__file__).parents[2]
    greeter = "greeter.proto"
    files = descriptors(root / "examples" / "greeter", [greeter], scratch)
    command = [sys.executable, "-c", PLUGIN]
    asked = request(files, [greeter], parameter)
    done = subprocess.run(command, check=True, input=asked, stdout=subprocess.PIPE, cwd=root)
    return done.stdout.decode().split()


def test_the_plugin_loads_no_more_than_a_small_run_needs(tmp_path: Path) -> None:
    names = loaded_by_plugin("", tmp_path)
    assert "protoc_gen_dubbo_mesh.policy.proto_options" in names  # the greeter has options
    assert [name for name in names if name.startswith(HEAVY)] == []
    others = (
        "cli",
        "console",
        "explain",
        "project",
        "templating.compiler",
        "templating.dialect",
        "protoc.buf",
        "manifests",
        "mesh",
        "yaml",
        "kubernetes",
        "istio",
        "gateway",
        "envoy",
        "policy.config",
        "policy.service_config",
        "policy.labels",
    )
    not_needed = tuple(f"protoc_gen_dubbo_mesh.{each}" for each in others)
    assert [name for name in names if name.startswith(not_needed)] == []


def test_yaml_needs_neither_jinja_nor_a_parser_of_yaml(tmp_path: Path) -> None:
    names = loaded_by_plugin("emit=python+kubernetes+istio+gateway+envoy", tmp_path)
    emitters = ("kubernetes", "istio", "gateway", "envoy")
    assert {f"protoc_gen_dubbo_mesh.{each}.compiled_templates" for each in emitters} < {*names}
    assert [name for name in names if name.startswith((*HEAVY, "yaml"))] == []


def test_an_emitter_loads_no_other_one(tmp_path: Path) -> None:
    names = loaded_by_plugin("emit=python+istio", tmp_path)
    others = tuple(f"protoc_gen_dubbo_mesh.{each}" for each in ("kubernetes", "gateway", "envoy"))
    assert [name for name in names if name.startswith(others)] == []
