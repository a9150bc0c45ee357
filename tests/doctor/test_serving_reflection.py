"""What the doctor says of reflection, on real servers, and on peers that imitate it badly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, cast

import grpc
import pytest
from google.protobuf import wrappers_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection, reflection_pb2

import dubbo_mesh
from dubbo_mesh._doctor.finding import Finding
from tests.calling.echo import EchoServicer
from tests.doctor.running import examined, ids
from tests.doctor.servers import OFF, plain

Add: TypeAlias = "Callable[[grpc.Server], object]"


def found(server: str, *targets: str, **variables: str) -> list[Finding]:
    findings = examined(*targets, variables=OFF | variables, server=server)
    return [each for each in findings if each.check == "reflection"]


def test_ours() -> None:
    with dubbo_mesh.Server(
        address="127.0.0.1:0", sidecar="off", probes="off", drain=0, reflection=True
    ) as server:
        (finding,) = found(f"127.0.0.1:{server.ports[0]}")
    assert finding.status == "ok"
    assert "v1 and v1alpha: describes" in finding.finding
    assert "grpc.health.v1.Health" in finding.finding


@pytest.mark.finds("DM423")
def test_none() -> None:
    with dubbo_mesh.Server(
        EchoServicer(), address="127.0.0.1:0", sidecar="off", probes="off", drain=0
    ) as server:
        (finding,) = found(f"127.0.0.1:{server.ports[0]}")
    assert finding.id == "DM423"
    assert finding.status == "ok"


@pytest.mark.finds("DM424")
def test_a_service_that_is_listed_and_not_described() -> None:
    """As with a health service whose messages are in a pool of their own."""

    def add(*names: str) -> Add:
        return lambda server: reflection.enable_server_reflection(names, server)

    with plain(add("test.Unheard", reflection.SERVICE_NAME)) as address:
        (finding,) = found(address)
        assert finding.id == "DM424"
        assert "test.Unheard (error 5:" in finding.finding
    with plain(add(reflection.SERVICE_NAME)) as address:
        (finding,) = found(address)
        assert finding.id is None
        assert "v1alpha: describes" in finding.finding


@pytest.mark.finds("DM426")
def test_services_that_no_target_has(echo_module: str) -> None:
    def add(server: grpc.Server) -> None:
        names = ["grpc.channelz.v1.Channelz", reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, server, pool=cast("Any", AnyService()))

    with plain(add) as address:
        named = found(address, echo_module)
        assert "grpc.channelz.v1.Channelz, which no target has" in named[-1].finding
        assert "DM426" in ids(named)
        assert "DM426" not in ids(found(address))


class AnyService:
    """A pool that has a file for each service."""

    def FindFileContainingSymbol(self, symbol: str) -> Any:
        from google.protobuf.descriptor_pool import DescriptorPool

        pool = DescriptorPool()
        package, _, name = symbol.rpartition(".")
        file = FileDescriptorProto(name=f"{symbol}.proto", package=package)
        file.service.add(name=name)
        pool.Add(file)
        return pool.FindFileByName(file.name)


class Imitation:
    """Answers with whatever it is told to.

    Args:
        answers: To the requests in turn; then the call ends.
    """

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers

    def __call__(self, server: grpc.Server) -> None:
        def talk(requests: Iterable[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            for _, answer in zip(requests, self.answers, strict=False):
                yield answer

        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(talk)
        handlers = {"ServerReflectionInfo": handler}
        name = "grpc.reflection.v1.ServerReflection"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))


def listed(*names: str) -> bytes:
    services = [reflection_pb2.ServiceResponse(name=name) for name in names]
    response = reflection_pb2.ListServiceResponse(service=services)
    return reflection_pb2.ServerReflectionResponse(list_services_response=response).SerializeToString()


def files(*contents: bytes) -> bytes:
    response = reflection_pb2.FileDescriptorResponse(file_descriptor_proto=contents)
    return reflection_pb2.ServerReflectionResponse(file_descriptor_response=response).SerializeToString()


def a_file(*dependencies: str) -> bytes:
    file = FileDescriptorProto(name="a.proto", package="a", dependency=dependencies)
    file.service.add(name="A")
    return file.SerializeToString()


@pytest.mark.finds("DM424")
@pytest.mark.parametrize(
    ("answers", "seen"),
    [
        ((), "without an answer"),
        ((b"\xff",), "not one of reflection"),
        ((listed("a.A"), files(b"\xff")), "not a file descriptor"),
        ((listed("a.A"), files()), "no file"),
        ((listed("a.B"), files(a_file())), "the file has no such service"),
        ((listed("a.A"), files(a_file("b.proto")), files(a_file())), "b.proto (it answers with another)"),
        ((listed("a.A"), files(a_file("b.proto")), b"\xff"), "not one of reflection"),
    ],
)
def test_what_tools_cannot_read(answers: tuple[bytes, ...], seen: str) -> None:
    with plain(Imitation(*answers)) as address:
        (finding,) = found(address)
    assert finding.id == "DM424"
    assert seen in finding.finding


def test_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dubbo_mesh._doctor.serving.reflection._PATIENCE", 0.2)
    over = threading.Event()

    def never(requests: Iterable[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        over.wait()
        yield b""

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(never)
    name = "grpc.reflection.v1.ServerReflection"
    generic = grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler})
    with plain(lambda server: server.add_generic_rpc_handlers((generic,))) as address:
        (finding,) = found(address)
        over.set()
    assert finding.status == "skipped"
    assert "DEADLINE_EXCEEDED" in finding.finding


def test_what_they_can() -> None:
    wrappers = wrappers_pb2.DESCRIPTOR.serialized_pb
    answers = listed("a.A"), files(a_file(wrappers_pb2.DESCRIPTOR.name)), files(wrappers)
    with plain(Imitation(*answers)) as address:
        (finding,) = found(address)
    assert finding.status == "ok"
    assert finding.finding == f"{address}: v1: describes a.A"
