"""Proxyless mode: what the doctor says of bootstraps and control planes, and what becomes of calls."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import socket
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh._doctor.finding import Finding
from dubbo_mesh._doctor.proxyless.client_status import resources_of
from dubbo_mesh._doctor.proxyless.wire import field, integer, messages, parse, text
from localmesh import ReservedPort
from tests.addressing.control_plane import LISTENER, ROUTE, ControlPlane
from tests.addressing.providers import Provider, serving
from tests.calling.echo import EchoStub
from tests.doctor.running import examined, ids, run

ADS = "envoy.service.discovery.v3.AggregatedDiscoveryService"

_apps = (f"doctor-{number}" for number in itertools.count())


@pytest.fixture
def app() -> str:
    """A name that no other test has: grpc keeps one xDS client for each."""
    return next(_apps)


def authority(app: str) -> str:
    return f"{app}.default.svc.cluster.local:50051"


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving(Provider("provider")) as provider:
        yield provider


def bootstrap(address: str, **more: Any) -> dict[str, str]:
    """The variables of a process that asks a control plane."""
    server = {"server_uri": address, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}
    return variables({"xds_servers": [server], "node": {"id": "test"}, **more})


def variables(content: object) -> dict[str, str]:
    text = content if isinstance(content, str) else json.dumps(content)
    return {"DUBBO_MESH_MODE": "proxyless", "GRPC_XDS_BOOTSTRAP_CONFIG": text}


def found(app: str, environment: dict[str, str]) -> list[Finding]:
    return [
        each for each in examined(f"{app}.default:50051", variables=environment) if each.check == "proxyless"
    ]


def the_problem(app: str, environment: dict[str, str]) -> Finding:
    (finding,) = [each for each in found(app, environment) if each.id]
    return finding


def call(app: str, environment: dict[str, str], timeout: float = 5.0) -> grpc.StatusCode:
    """The status of a stub's call."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        with EchoStub(target=dubbo_mesh.Target(app, "default", 50051)) as stub:
            try:
                stub.unary(StringValue(), timeout=timeout)
            except grpc.RpcError as error:
                return error.code()
    return grpc.StatusCode.OK


def test_all_is_well(app: str, control_plane: ControlPlane, provider: Provider) -> None:
    control_plane.serve(authority(app), [provider.address])
    environment = bootstrap(control_plane.address)
    asked, client = found(app, environment)
    assert (asked.status, client.status) == ("ok", "ok")
    assert f"control plane {control_plane.address} (insecure, xds_v3), node test" in asked.finding
    assert f"Listener {authority(app)}; RouteConfiguration {authority(app)}" in client.finding
    assert client.finding.endswith(f"endpoints {provider.address}")
    assert call(app, environment) is grpc.StatusCode.OK


def test_nothing_is_called(app: str, control_plane: ControlPlane) -> None:
    with serving(Provider("provider")) as provider:
        control_plane.serve(authority(app), [provider.address])
        found(app, bootstrap(control_plane.address))
        assert not provider.ran


@pytest.mark.finds("DM130")
def test_a_bootstrap_that_is_not_there(tmp_path: Path, app: str, control_plane: ControlPlane) -> None:
    missing = {**bootstrap(control_plane.address), "GRPC_XDS_BOOTSTRAP": str(tmp_path / "missing.json")}
    finding = the_problem(app, missing)
    assert finding.id == "DM130"
    assert "missing.json: No such file" in finding.finding
    assert call(app, missing) is grpc.StatusCode.UNAVAILABLE
    empty = {**bootstrap(control_plane.address), "GRPC_XDS_BOOTSTRAP": ""}  # a name too, grpc holds
    assert the_problem(app, empty).id == "DM130"
    assert call(app, empty) is grpc.StatusCode.UNAVAILABLE
    os.mkfifo(tmp_path / "pipe")
    pipe = {**missing, "GRPC_XDS_BOOTSTRAP": str(tmp_path / "pipe")}
    assert the_problem(app, pipe).id == "DM130"
    file = control_plane.bootstrap(tmp_path / "bootstrap.json")
    well = {"DUBBO_MESH_MODE": "proxyless", "GRPC_XDS_BOOTSTRAP": str(file)}
    control_plane.serve(authority(other := next(_apps)), [])
    assert "DM130" not in {each.id for each in found(other, well)}


@pytest.mark.finds("DM131")
@pytest.mark.parametrize(
    ("content", "seen"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ([], "must be a JSON object"),
        ({"xds_servers": []}, "at least one server"),
        ({"xds_servers": {"server_uri": "x"}}, "at least one server"),
        ({"xds_servers": [{"channel_creds": [{"type": "insecure"}]}]}, "server_uri is not set"),
        ({"xds_servers": [{"server_uri": "127.0.0.1:1"}]}, "channel_creds must be a list"),
        (
            {"xds_servers": [{"server_uri": "127.0.0.1:1", "channel_creds": [{"type": "mtls"}]}]},
            "no type that grpc knows (insecure, tls, google_default), but mtls",
        ),
        (
            {"xds_servers": [{"server_uri": "x:1", "channel_creds": [{"type": "insecure"}]}], "node": "me"},
            "node must be a JSON object",
        ),
    ],
)
def test_a_malformed_bootstrap(app: str, content: object, seen: str) -> None:
    finding = the_problem(app, variables(content))
    assert finding.id == "DM131"
    assert seen in finding.finding


@pytest.mark.finds("DM131")
def test_a_well_formed_one(app: str, control_plane: ControlPlane) -> None:
    control_plane.serve(authority(app), [])
    assert "DM131" not in {each.id for each in found(app, bootstrap(control_plane.address))}


@pytest.mark.finds("DM132")
def test_a_control_plane_that_is_not_there(app: str) -> None:
    with ReservedPort() as nobody:
        environment = bootstrap(nobody.address)
        finding = the_problem(app, environment)
        assert finding.id == "DM132"
        assert nobody.address in finding.finding
        assert "Connection refused" in finding.finding
        assert call(app, environment) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.finds("DM132")
def test_a_proxy_on_the_way_to_the_control_plane(
    app: str, control_plane: ControlPlane, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "")
    with ReservedPort() as nobody:
        control_plane.serve(authority(app), [provider.address])
        environment = {**bootstrap(control_plane.address), "http_proxy": f"http://{nobody.address}"}
        finding = the_problem(app, environment)
        assert finding.id == "DM132"
        assert "http_proxy is set" in finding.remedy
        assert call(app, environment) is grpc.StatusCode.UNAVAILABLE
        well = {**environment, "no_proxy": "127.0.0.1"}
        other = next(_apps)
        control_plane.serve(authority(other), [provider.address])
        assert {each.id for each in found(other, well)} == {None}
        assert call(other, well) is grpc.StatusCode.OK


@contextmanager
def answering(handle: Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]) -> Generator[str]:
    """A control plane that does what it is told."""
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        handler = grpc.stream_stream_rpc_method_handler(handle, bytes, bytes)
        methods = {"StreamAggregatedResources": handler}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ADS, methods),))
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield address
        server.stop(None).wait()


@pytest.mark.finds("DM133")
def test_a_control_plane_that_refuses(app: str) -> None:
    def refuse(_: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")

    with answering(refuse) as address:
        finding = the_problem(app, bootstrap(address))
        assert finding.id == "DM133"
        assert finding.finding.endswith(f"{address}: UNAUTHENTICATED: who are you?")
        assert call(app, bootstrap(address)) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.finds("DM133")
def test_a_server_that_is_no_control_plane(app: str, provider: Provider) -> None:
    finding = the_problem(app, bootstrap(provider.address))
    assert finding.id == "DM133"
    assert "UNIMPLEMENTED" in finding.finding


@pytest.mark.finds("DM134")
def test_a_name_that_the_control_plane_does_not_know(app: str, control_plane: ControlPlane) -> None:
    finding = the_problem(app, bootstrap(control_plane.address))
    assert finding.id == "DM134"
    assert f"does not know the Listener {authority(app)}" in finding.finding
    assert call(app, bootstrap(control_plane.address), 0.3) is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.finds("DM134")
def test_a_cluster_that_the_control_plane_does_not_know(
    app: str, control_plane: ControlPlane, provider: Provider
) -> None:
    control_plane.serve(authority(app), [provider.address])
    action = {"match": {"prefix": ""}, "route": {"cluster": f"{app}-subset"}}
    hosts = [{"name": app, "domains": [authority(app)], "routes": [action]}]
    put(control_plane, ROUTE, authority(app), virtual_hosts=hosts)
    finding = the_problem(app, bootstrap(control_plane.address))
    assert finding.id == "DM134"
    assert f"does not know the Cluster {app}-subset" in finding.finding
    assert "subset" in finding.remedy


def put(control_plane: ControlPlane, url: str, name: str, **content: Any) -> None:
    """Says something that `serve` does not."""
    control_plane._put(url, name, {"name": name, **content})  # pyright: ignore[reportPrivateUsage]


@pytest.mark.finds("DM135")
@pytest.mark.parametrize("kind", ["Listener", "Cluster"])
def test_what_grpc_refuses(app: str, control_plane: ControlPlane, provider: Provider, kind: str) -> None:
    more = {"lb_policy": "MAGLEV"} if kind == "Cluster" else {}
    control_plane.serve(authority(app), [provider.address], more)
    if kind == "Listener":
        put(control_plane, LISTENER, authority(app))
    finding = the_problem(app, bootstrap(control_plane.address))
    assert finding.id == "DM135"
    assert f"grpc rejects the {kind} {authority(app)}: " in finding.finding
    assert ("LB policy is not supported" if kind == "Cluster" else "ApiListener") in finding.finding
    assert call(app, bootstrap(control_plane.address)) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.finds("DM136")
def test_no_endpoints(app: str, control_plane: ControlPlane) -> None:
    control_plane.serve(authority(app), [])
    assert the_problem(app, bootstrap(control_plane.address)).id == "DM136"
    assert call(app, bootstrap(control_plane.address)) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.finds("DM137")
def test_endpoints_where_nobody_listens(app: str, control_plane: ControlPlane) -> None:
    with ReservedPort() as nobody:
        control_plane.serve(authority(app), [nobody.address])
        finding = the_problem(app, bootstrap(control_plane.address))
        assert finding.id == "DM137"
        assert nobody.address in finding.finding
        assert call(app, bootstrap(control_plane.address)) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.finds("DM138")
def test_no_route(app: str, control_plane: ControlPlane, provider: Provider) -> None:
    control_plane.serve(authority(app), [provider.address])
    action = {"match": {"prefix": ""}, "route": {"cluster": authority(app)}}
    hosts = [{"name": app, "domains": ["other.example"], "routes": [action]}]
    put(control_plane, ROUTE, authority(app), virtual_hosts=hosts)
    finding = the_problem(app, bootstrap(control_plane.address))
    assert finding.id == "DM138"
    assert call(app, bootstrap(control_plane.address)) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.finds("DM139")
def test_a_control_plane_that_says_nothing(app: str) -> None:
    def listen(requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            yield from (b"" for each in requests if not each)
        except grpc.RpcError:  # how a server's iterator says that the client is gone
            return

    with answering(listen) as address:
        findings = examined(f"{app}.default:50051", variables=bootstrap(address), timeout=1.5)
        assert "DM139" in ids(findings)


@pytest.mark.finds("DM139")
def test_something_else_that_accepts_connections(app: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        findings = examined(f"{app}.default:50051", variables=bootstrap(address), timeout=1.5)
        assert "DM139" in ids(findings)


@pytest.mark.parametrize("content", [b"\xff", b"\x12\x7fx", b"\x12\x02\x12\x09", b""])
def test_a_control_plane_that_lies(app: str, content: bytes) -> None:
    def lie(_: Iterator[bytes], __: grpc.ServicerContext) -> Iterator[bytes]:
        yield content

    with answering(lie) as address:
        findings = examined(f"{app}.default:50051", variables=bootstrap(address), timeout=2.0)
    assert ids(findings) & {"DM132", "DM133", "DM134", "DM139"}


def test_the_command_prints_nothing_else(app: str) -> None:
    """grpc's core would write to standard error."""
    with ReservedPort() as nobody:
        status, findings = run(f"{app}.default:50051", variables=bootstrap(nobody.address))
    assert status == 1
    assert [each["id"] for each in findings if each["id"]] == ["DM132"]


def test_the_fallback_is_asked_about_too(app: str, control_plane: ControlPlane, provider: Provider) -> None:
    control_plane.serve(authority(app), [provider.address])
    with ReservedPort() as nobody:
        environment = {
            **bootstrap(control_plane.address),
            "DUBBO_MESH_MODE": "sidecar",
            "DUBBO_MESH_EGRESS": nobody.address,
            "DUBBO_MESH_ADMIN": "off",
            "DUBBO_MESH_FALLBACK": "proxyless",
        }
        findings = examined(f"{app}.default:50051", variables=environment)
    assert ids(findings) == {"DM111", "DM122"}
    assert [each.status for each in findings if each.check == "proxyless"] == ["ok", "ok"]


class TestWire:
    def test_what_is_written_is_read(self) -> None:
        message = parse(field(1, "é" * 200) + field(2, b"") + field(300, field(2, "inner")) + b"\x18\x96\x01")
        assert text(message, 1) == "é" * 200
        assert text(message, 2) == ""
        assert [text(each, 2) for each in messages(message, 300)] == ["inner"]
        assert integer(message, 3) == 150

    @pytest.mark.parametrize("content", [b"\x0a\x05x", b"\x80" * 11, b"\x0b", b"\x09abc", b"\x0a"])
    def test_what_is_malformed(self, content: bytes) -> None:
        with pytest.raises(ValueError, match=r"a (message|field)|an integer"):
            parse(content)

    def test_the_dump_is_read_as_its_own_messages_read_it(
        self, app: str, control_plane: ControlPlane, provider: Provider
    ) -> None:
        control_plane.serve(authority(app), [provider.address])
        seen: dict[tuple[str, str], str] = {}
        with pytest.MonkeyPatch.context() as patched:
            for name, value in bootstrap(control_plane.address).items():
                patched.setenv(name, value)
            with EchoStub(target=dubbo_mesh.Target(app, "default", 50051)) as stub:
                stub.unary(StringValue(), timeout=5)
                resources = resources_of(authority(app))
                csds: Any = importlib.import_module("envoy.service.status.v3.csds_pb2")
                cython: Any = importlib.import_module("grpc._cython.cygrpc")
                for client in csds.ClientStatusResponse.FromString(cython.dump_xds_configs()).config:
                    if client.client_scope.endswith(authority(app)):
                        for each in client.generic_xds_configs:
                            seen[each.type_url.rpartition(".")[2], each.name] = str(each.client_status)
        assert resources is not None
        assert {(each.kind, each.name) for each in resources} == set(seen)
        assert {each.state for each in resources} == {"accepted"}
        assert set(seen.values()) == {"3"}  # ACKED
        assert resources[-1].endpoints == (provider.address,)
