"""The versions of the API between generated modules and the runtime.

golden_v1/ holds what the generator wrote for version 1. It is frozen: no option regenerates it.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.empty_pb2 import Empty

import dubbo_mesh
from dubbo_mesh._contract import service as contract
from dubbo_mesh._contract.service import API_VERSIONS
from tests.generator.compiling import protoc
from tests.generator.goldens import GENERATED, GOLDEN, Case

EXERCISE = Path(__file__).with_name("exercise.py")
FROZEN = [Case(path) for path in sorted(GOLDEN.with_name("golden_v1").iterdir())]


def versions(case: Case) -> set[int]:
    """The API versions that the expected modules of a case ask for."""
    found: set[int] = set()
    for path in case.directory.glob("expected/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("require_api"):
                found.add(ast.literal_eval(node.args[0]))
    return found


def test_each_supported_version_is_tested() -> None:
    assert {version for case in FROZEN for version in versions(case)} == {1}
    assert {version for case in GENERATED for version in versions(case)} == {2}
    assert set(API_VERSIONS) == {1, 2}


@pytest.mark.parametrize("case", FROZEN, ids=lambda case: case.name)
def test_modules_of_version_1_serve_and_call(case: Case, tmp_path: Path) -> None:
    """All rpcs, sync and async, in a fresh process with warnings as errors."""
    shutil.copytree(case.directory / "expected", tmp_path, dirs_exist_ok=True)
    protoc(case.directory, f"--python_out={tmp_path}", *case.protos)
    names = [path.stem for path in tmp_path.glob("*_mesh.py")]
    command = [sys.executable, str(EXERCISE), str(tmp_path), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == sum(len(service.method) for service in case.services()) * 4


SHAPES = """
import sys
sys.path.insert(0, sys.argv[1])
import shapes_mesh, shapes_pb2
service = shapes_mesh.ShapesStub.__mesh__
assert service.descriptor is {descriptor}, service.descriptor
assert {{method.aliases for method in service.methods.values()}} == {{()}}
"""


@pytest.mark.parametrize(("root", "descriptor"), [("golden_v1", "None"), ("golden", "shapes_pb2.DESCRIPTOR")])
def test_a_service_knows_its_file_from_version_2_on(root: str, descriptor: str, tmp_path: Path) -> None:
    case = Case(GOLDEN.with_name(root) / "shapes")
    shutil.copytree(case.directory / "expected", tmp_path, dirs_exist_ok=True)
    protoc(case.directory, f"--python_out={tmp_path}", *case.protos)
    program = SHAPES.format(descriptor=descriptor)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_service_is_described() -> None:
    file: Any = Empty.DESCRIPTOR.file
    assert isinstance(file, FileDescriptor)
    method = dubbo_mesh.Method("/a.B/SayHello", Empty, Empty, aliases=("sayHello",))
    service = dubbo_mesh.Service("a.B", method, descriptor=file)
    assert service.descriptor is file
    assert service.methods["SayHello"].aliases == ("sayHello",)
    assert "FileDescriptor" not in repr(service)


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        (API_VERSIONS[-1] + 1, "pip install --upgrade dubbo-mesh"),
        (0, "regenerate the module with a current protoc-gen-dubbo-mesh"),
    ],
)
def test_an_unsupported_version_is_refused_with_the_remedy(version: int, remedy: str) -> None:
    with pytest.raises(ImportError, match=rf"^a_mesh was generated for API version {version} .*: {remedy}$"):
        contract.require_api(version, "a_mesh")
