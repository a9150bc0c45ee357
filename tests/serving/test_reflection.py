"""What servers tell tools of themselves: with the real `buf`, and with grpcio-reflection's own client."""

from __future__ import annotations

import importlib
import itertools
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.wrappers_pb2 import StringValue
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import dubbo_mesh
import localmesh
from dubbo_mesh._health.board import HEALTH
from tests.serving.conftest import Kind, LoopThread, Running
from tests.serving.providers import Provider

Serve = Callable[..., Running]

BUF = shutil.which("buf", path=str(Path(sys.executable).parent))
VERSIONS = ("grpc-v1", "grpc-v1alpha")

PROTO = """
syntax = "proto3";
package {package};
import "google/protobuf/wrappers.proto";
// All of its messages are another file's.
service Probe {{
  rpc Look(google.protobuf.StringValue) returns (google.protobuf.StringValue);
}}
"""
MESH = """
import dubbo_mesh
import localmesh
from google.protobuf.wrappers_pb2 import StringValue

class ProbeServicer(dubbo_mesh.Servicer):
    __mesh__ = dubbo_mesh.Service(
        "{package}.Probe", dubbo_mesh.Method("/{package}.Probe/Look", StringValue, StringValue)
    )

    def Look(self, request, context):
        return request
"""
"""As far as it matters what the plugin generates for API version 1, which does not import probe_pb2."""

numbers = itertools.count()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new package with a module that was generated for API version 1."""
    package = f"reflected{next(numbers)}"
    directory = tmp_path / package
    directory.mkdir()
    (directory / "probe.proto").write_text(PROTO.format(package=package))
    (directory / "probe_mesh.py").write_text(MESH.format(package=package))
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{tmp_path}", f"--python_out={tmp_path}"]
    subprocess.run([*protoc, f"{package}/probe.proto"], check=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return package


def buf(running: Running, path: str, *arguments: str) -> str:
    command = [str(BUF), "curl", "--http2-prior-knowledge", "--protocol", "grpc", *arguments]
    run = subprocess.run(
        [*command, f"http://127.0.0.1:{running.port}{path}"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_buf_lists_and_calls_all_there_is(make: Serve, package: str, version: str) -> None:
    servicer = importlib.import_module(f"{package}.probe_mesh").ProbeServicer()
    running = make(servicer, reflection=True).start()
    reflect = ("--reflect-protocol", version)
    assert buf(running, "", "--list-methods", *reflect).split() == [
        "grpc.health.v1.Health/Check",
        "grpc.health.v1.Health/List",
        "grpc.health.v1.Health/Watch",
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        f"{package}.Probe/Look",
    ]
    check = buf(running, "/grpc.health.v1.Health/Check", "-d", f'{{"service": "{package}.Probe"}}', *reflect)
    assert json.loads(check) == {"status": "SERVING"}
    listed = json.loads(buf(running, "/grpc.health.v1.Health/List", *reflect))
    assert listed["statuses"][""] == {"status": "SERVING"}
    assert buf(running, f"/{package}.Probe/Look", "-d", '"seen"', *reflect).strip() == '"seen"'


def test_open_calls_of_tools_do_not_hold_threads_of_handlers(
    loop: LoopThread, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dubbo_mesh._serving.reflection._IDLE_TIMEOUT", 0.1)
    running = Running(kind, loop if kind == "aio" else None, Provider(), max_workers=2, reflection=True)
    running.start()
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(running.channel())
    over = threading.Event()

    def ask_and_go_on() -> Iterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        over.wait(60)

    calls = [stub.ServerReflectionInfo(ask_and_go_on(), timeout=30) for _ in range(4)]
    for call in calls:
        next(call)
    assert running.stub().unary(StringValue(value="echo"), timeout=10).value == "echo"
    over.set()
    for call in calls:
        assert list(call) == []
    localmesh.wait_until(lambda: reflection_threads() == [], what="no thread of reflection is left")
    running.close()


def reflection_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("dubbo-mesh-reflection")]


def test_a_file_in_a_pool_of_its_own_is_described_too(make: Serve) -> None:
    file = descriptor_pb2.FileDescriptorProto(name="elsewhere.proto", package="elsewhere")
    file.service.add(name="Probe")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)

    class Elsewhere(dubbo_mesh.Servicer):
        __mesh__ = dubbo_mesh.Service("elsewhere.Probe", descriptor=pool.FindFileByName("elsewhere.proto"))

    described = database(make(Elsewhere(), reflection=True).start())
    assert described.FindFileContainingSymbol("elsewhere.Probe").name == "elsewhere.proto"
    assert described.FindFileByName("elsewhere.proto").package == "elsewhere"


def test_services_that_are_not_generated_by_us_are_described_too(make: Serve, package: str) -> None:
    importlib.import_module(f"{package}.probe_pb2")
    running = make(reflection=True)
    look = grpc.unary_unary_rpc_method_handler(
        Provider().unary, StringValue.FromString, StringValue.SerializeToString
    )
    running.server.add_registered_method_handlers(f"{package}.Probe", {"Look": look})
    generic = grpc.method_handlers_generic_handler(f"{package}.Generic", {"Look": look})
    running.server.add_generic_rpc_handlers((generic,))
    described = database(running.start())
    assert {f"{package}.Probe", f"{package}.Generic", "grpc.health.v1.Health"} <= {*described.get_services()}
    assert described.FindFileContainingSymbol(f"{package}.Probe").name == f"{package}/probe.proto"


def test_what_cannot_be_described_is_said_and_does_no_harm(
    make: Serve, package: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / package / "probe_pb2.py").write_text("raise RuntimeError('broken')")
    servicer = importlib.import_module(f"{package}.probe_mesh").ProbeServicer()
    described = database(make(servicer, reflection=True).start())
    assert f"reflection cannot describe {package}.Probe" in caplog.text
    assert f"{package}.Probe" in described.get_services()
    with pytest.raises(KeyError):
        described.FindFileContainingSymbol(f"{package}.Probe")
    assert described.FindFileContainingSymbol("grpc.health.v1.Health").package == "grpc.health.v1"


NO_EXTENSION = {"containing_type": "google.protobuf.MethodOptions", "extension_number": 5}


@pytest.mark.parametrize(
    ("answered", "asked"),
    [
        ("error_response", {"file_by_filename": "no.proto"}),
        ("error_response", {"file_containing_symbol": "no.Such"}),
        ("error_response", {"file_containing_extension": NO_EXTENSION}),
        ("error_response", {"all_extension_numbers_of_type": "no.Such"}),
        (
            "all_extension_numbers_response",
            {"all_extension_numbers_of_type": "google.protobuf.MethodOptions"},
        ),
        ("all_extension_numbers_response", {"all_extension_numbers_of_type": f"{HEALTH}CheckRequest"}),
        ("file_descriptor_response", {"file_containing_symbol": f"{HEALTH}CheckResponse.ServingStatus"}),
        ("file_descriptor_response", {"file_by_filename": "grpc/health/v1/health.proto"}),
        ("file_descriptor_response", {"file_by_filename": "grpc/reflection/v1/reflection.proto"}),
    ],
)
def test_every_question_is_answered(make: Serve, answered: str, asked: dict[str, Any]) -> None:
    request = reflection_pb2.ServerReflectionRequest(**asked)
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(make(reflection=True).start().channel())
    (response,) = stub.ServerReflectionInfo(iter([request]), timeout=10)
    assert response.WhichOneof("message_response") == answered
    assert response.original_request == request


def database(running: Running) -> Any:
    return ProtoReflectionDescriptorDatabase(running.channel())
