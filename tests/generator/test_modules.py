"""Modules have the names that protoc gives them, and are imported in whichever way Python can."""

from __future__ import annotations

from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.python import modules
from protoc_gen_dubbo_mesh.python.imports import Imports
from protoc_gen_dubbo_mesh.python.names import Symbols
from protoc_gen_dubbo_mesh.python.parameters import PythonParameters
from tests.generator.compiling import protoc

PROTOS = [
    "simple.proto",
    "with-dash.proto",
    "dots.in.name.proto",
    "old.protodevel",
    "no_extension",
    "dir-ectory/class.proto",
    "k8s.io/api/v1.proto",
    "1-basic/2.proto",
    "with space.proto",
    "ünï.proto",
    "twice.proto.proto",
]


@pytest.mark.parametrize("proto", PROTOS)
def test_protoc_writes_to_the_same_path(proto: str, tmp_path: Path) -> None:
    source = tmp_path / "in" / proto
    source.parent.mkdir(parents=True)
    source.write_text('syntax = "proto3";\nmessage M {}\n', encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    protoc(tmp_path / "in", f"--python_out={out}", proto)
    [written] = [path.relative_to(out).as_posix() for path in out.rglob("*.py")]
    assert modules.path_of(modules.module_of(proto, "_pb2")) == written


@pytest.mark.parametrize(
    "proto", ["a/../b.proto", "/etc/x.proto", "a//b.proto", ".x.proto", "x\0.proto", "a\\b.proto"]
)
def test_paths_that_leave_the_output_are_refused(proto: str) -> None:
    with pytest.raises(GenerationError, match="cannot be imported"):
        modules.module_of(proto, "_mesh")


@pytest.mark.parametrize(
    ("module", "importable"),
    [
        ("a.b_pb2", True),
        ("größe_pb2", True),
        ("a.class.b_pb2", False),
        ("None.b_pb2", False),
        ("1_pb2", False),
        ("with space_pb2", False),
        ("ﬁle_pb2", False),  # Python folds the ligature, and would import another module
        ("match.type_pb2", True),
    ],
)
def test_is_importable(module: str, importable: bool) -> None:
    assert modules.is_importable(module) is importable


@pytest.mark.parametrize(
    ("proto", "package"),
    [
        ("types/a.proto", "types"),
        ("grpc/health/v1/health.proto", "grpc"),
        ("grpc.proto", None),
        ("types.proto", None),
        ("google/api/http.proto", None),
        ("dubbo_mesh/v1/options.proto", None),
        ("dubbo_mesh/v2/options.proto", None),
        ("dubbo_mesh.proto", None),
        ("io/x.proto", "io"),
    ],
)
def test_hiding_package(proto: str, package: str | None) -> None:
    assert modules.hiding_package(proto) == package


def statements(parameters: PythonParameters, package: str, *needed: str) -> list[str]:
    imports = Imports(Symbols(str), set(), package, parameters)
    imports.generated(needed)
    loads = [f"{name} = {arguments}" for name, arguments in imports.loads]
    return [statement for block in imports.blocks() for statement in block] + loads


ABSOLUTE = PythonParameters()
RELATIVE = PythonParameters(imports="relative")
PREFIX = PythonParameters(import_prefix="gen.api")


@pytest.mark.parametrize(
    ("parameters", "package", "needed", "expected"),
    [
        (ABSOLUTE, "", "x_pb2", "import x_pb2"),
        (ABSOLUTE, "a.b", "a.b.x_pb2", "from a.b import x_pb2"),
        (ABSOLUTE, "", "a.class.x_pb2", 'x_pb2 = "a.class.x_pb2"'),
        (ABSOLUTE, "", "1_pb2", '_1_pb2 = "1_pb2"'),
        (RELATIVE, "", "x_pb2", "from . import x_pb2"),
        (RELATIVE, "a.b", "a.b.x_pb2", "from . import x_pb2"),
        (RELATIVE, "a.b", "a.x_pb2", "from .. import x_pb2"),
        (RELATIVE, "a.b", "a.c.x_pb2", "from ..c import x_pb2"),
        (RELATIVE, "a.b", "x_pb2", "from ... import x_pb2"),
        (RELATIVE, "a", "b.c.x_pb2", "from ..b.c import x_pb2"),
        (RELATIVE, "a", "a.class.x_pb2", 'x_pb2 = ".class.x_pb2", __package__'),
        (RELATIVE, "a", "google.protobuf.any_pb2", "from google.protobuf import any_pb2"),
        (PREFIX, "", "x_pb2", "from gen.api import x_pb2"),
        (PREFIX, "a", "a.x_pb2", "from gen.api.a import x_pb2"),
        (PREFIX, "a", "a.1.x_pb2", 'x_pb2 = "gen.api.a.1.x_pb2"'),
        (PREFIX, "a", "google.api.http_pb2", "from gen.api.google.api import http_pb2"),
        (PREFIX, "a", "google.protobuf.any_pb2", "from google.protobuf import any_pb2"),
        (PREFIX, "a", "dubbo_mesh.v1.options_pb2", "from dubbo_mesh.v1 import options_pb2"),
    ],
)
def test_imports(parameters: PythonParameters, package: str, needed: str, expected: str) -> None:
    assert statements(parameters, package, needed) == [expected]


def test_modules_of_the_same_name_are_distinguished_in_any_order() -> None:
    expected = [
        "from a import x_pb2 as a_x_pb2",
        "from b import y_pb2, z_pb2",
        "from b import x_pb2 as b_x_pb2",
    ]
    assert statements(ABSOLUTE, "", "a.x_pb2", "b.z_pb2", "b.x_pb2", "b.y_pb2") == expected
    assert statements(ABSOLUTE, "", "b.y_pb2", "b.x_pb2", "b.z_pb2", "a.x_pb2") == expected
