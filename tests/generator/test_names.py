"""The Python names for names in protos."""

from __future__ import annotations

import keyword
from pathlib import Path

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

import dubbo_mesh
import dubbo_mesh.aio
from protoc_gen_dubbo_mesh.errors import GenerationError
from protoc_gen_dubbo_mesh.protoc.source_info import Path as Place
from protoc_gen_dubbo_mesh.python import names
from tests.generator.compiling import generate_proto


def describe(path: Place) -> str:
    return f"rpc {path}"


def attributes(*rpcs: str) -> list[str]:
    return list(names.attributes([(rpc, (number,)) for number, rpc in enumerate(rpcs)], describe))


@pytest.mark.parametrize("name", keyword.kwlist)
def test_a_keyword_gets_an_underscore(name: str) -> None:
    assert attributes(name) == [f"{name}_"]


@pytest.mark.parametrize("name", keyword.softkwlist)
def test_a_soft_keyword_stays(name: str) -> None:
    assert attributes(name) == [name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sayHello", "sayHello"),
        ("_private", "_private"),
        ("__", "__"),
        ("____", "____"),
        ("__mangled", "__mangled___"),
        ("__mangled_", "__mangled___"),
        ("__dunder__", "__dunder___"),
        ("__init__", "__init___"),
        ("_SyncStub__owned", "_SyncStub__owned_"),
    ],
)
def test_names_that_a_class_cannot_have_change(name: str, expected: str) -> None:
    assert attributes(name) == [expected]


def test_a_changed_name_avoids_others() -> None:
    assert attributes("class", "class_", "class__") == ["class___", "class_", "class__"]


def test_two_rpcs_of_one_name_are_refused_naming_both() -> None:
    with pytest.raises(GenerationError, match=r"rpc \(0,\) and rpc \(1,\) would both be 'call'"):
        attributes("call", "call")


@pytest.mark.parametrize(
    ("service", "constant"),
    [
        ("Greeter", "_GREETER"),
        ("GreeterService", "_GREETER_SERVICE"),
        ("HTTPServer2Go", "_HTTP_SERVER2_GO"),
        ("greeter_service", "_GREETER_SERVICE"),
        ("__Hidden", "_HIDDEN"),
        ("___", "_SERVICE"),
    ],
)
def test_constant(service: str, constant: str) -> None:
    assert names.constant(service) == constant


def test_attributes_of_the_runtimes_bases_are_known() -> None:
    """All but dunders could also be the name of an rpc."""

    class Stub(dubbo_mesh.Stub["AsyncStub"]):
        __mesh__ = dubbo_mesh.Service("a.B", dubbo_mesh.Method("/a.B/c", Empty, Empty))

    class AsyncStub(dubbo_mesh.aio.Stub, twin=Stub):
        __mesh__ = Stub.__mesh__

    with grpc.insecure_channel("127.0.0.1:1") as channel:
        found = set(dir(Stub(channel)))
    for base in (AsyncStub, dubbo_mesh.SyncStub, dubbo_mesh.Servicer, dubbo_mesh.aio.Servicer):
        found |= set(dir(base))
    assert [name for name in sorted(found) if name != "c" and names.is_attribute(name)] == []


def test_two_services_of_one_name_are_refused_naming_both_places(tmp_path: Path) -> None:
    """Compilers refuse this, but a request could contain it."""
    from tests.generator.compiling import descriptors, generate

    tmp_path.joinpath("test.proto").write_text(
        'syntax = "proto3";\nservice One {}\nservice Two {}\n', encoding="utf-8"
    )
    files = descriptors(tmp_path, ["test.proto"], tmp_path)
    files.file[0].service[1].name = "One"
    error = generate(files, ["test.proto"]).error
    assert "service One (test.proto:2) and service One (test.proto:3)" in error
    assert "'OneStub'" in error


def test_a_large_service_keeps_all_its_rpcs(tmp_path: Path) -> None:
    rpcs = "".join(f"  rpc call{number}(M) returns (M);\n" for number in range(2000))
    got = generate_proto(f'syntax = "proto3";\nmessage M {{}}\nservice S {{\n{rpcs}}}\n', tmp_path)
    content = got.files["test_mesh.py"]
    compile(content, "test_mesh.py", "exec")
    assert content.count("dubbo_mesh.Method(") == 2000
