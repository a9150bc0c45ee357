"""What the doctor says of who is where calls would go, and what becomes of calls there."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh._doctor.addressing.dialling import Dialled
from dubbo_mesh._doctor.addressing.environment import read_environment
from dubbo_mesh._doctor.addressing.targets import check_targets
from dubbo_mesh._doctor.budget import Budget
from dubbo_mesh._doctor.envoy.entering.listeners import Connection
from dubbo_mesh._doctor.examination import Examination
from dubbo_mesh._doctor.finding import Finding
from localmesh import ReservedPort
from tests import sidecars
from tests.calling.echo import EchoServicer
from tests.doctor.running import examined, ids
from tests.sidecars.config import cluster, http_listener, socket_address, typed


def direct(address: str) -> dict[str, str]:
    return {"DUBBO_MESH_ADMIN": "off", "DUBBO_MESH_MODE": "direct", "DUBBO_MESH_DIRECT": f"echo={address}"}


def egress(address: str) -> dict[str, str]:
    return {"DUBBO_MESH_ADMIN": "off", "DUBBO_MESH_EGRESS": address}


def reachable(variables: dict[str, str], target: str = "echo:50051") -> Finding:
    (finding,) = [each for each in examined(target, variables=variables) if each.check == "reachable"]
    return finding


def call(address: str, timeout: float = 10.0, authority: str = "echo") -> grpc.StatusCode:
    """The status of a call in clear text."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", authority)]
    with grpc.insecure_channel(address, options) as channel:
        hello = channel.unary_unary("/test.Echo/unary", StringValue.SerializeToString, StringValue.FromString)
        try:
            hello(StringValue(), timeout=timeout)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


@contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Generator[str]:
    """Accepts connections, and lets `handle` have each of them."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(4) as pool:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # closed
                    return
                pool.submit(handle, connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


class Echo(EchoServicer):
    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        return request


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with dubbo_mesh.Server(Echo(), address="127.0.0.1:0", sidecar="off", probes="off") as server:
        yield f"127.0.0.1:{server.ports[0]}"


def test_a_grpc_server(provider: str) -> None:
    finding = reachable(direct(provider))
    assert finding.status == "ok"
    assert finding.finding == f"echo:50051: {provider} speaks HTTP/2"


@pytest.fixture(scope="module")
def envoys(provider: str) -> Iterator[Callable[[str], str]]:
    """The address of each listener of one Envoy, by name."""
    with ExitStack() as stack:
        ports = {name: stack.enter_context(ReservedPort()) for name in ("auto", "http1", "tcp", "dead tcp")}
        nobody = stack.enter_context(ReservedPort())
        hosts = [sidecars.MeshService("echo", 50051, [provider], health_check=None).virtual_host()]
        listeners = [
            http_listener("auto", ports["auto"].address, hosts),
            http_listener("http1", ports["http1"].address, hosts, connection_manager={"codec_type": "HTTP1"}),
            tcp_listener("tcp", ports["tcp"].address, "echo"),
            tcp_listener("dead_tcp", ports["dead tcp"].address, "dead"),
        ]
        clusters = [cluster("echo", [provider]), cluster("dead", [nobody.address])]
        stack.enter_context(sidecars.StaticEnvoy("sidecar", listeners, clusters))
        yield lambda name: ports[name].address


def tcp_listener(name: str, address: str, to: str) -> dict[str, Any]:
    """A listener that passes bytes on, as Istio's does for addresses that it does not know."""
    proxy = typed("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", stat_prefix=name, cluster=to)
    chain = {"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}
    return {"name": name, "address": socket_address(address), "filter_chains": [chain]}


@pytest.mark.parametrize(
    ("listener", "id", "status"),
    [
        ("auto", None, "OK"),
        ("tcp", None, "OK"),
        pytest.param("http1", "DM120", "UNAVAILABLE", marks=pytest.mark.finds("DM120")),
        pytest.param("dead tcp", "DM119", "UNAVAILABLE", marks=pytest.mark.finds("DM119")),
    ],
)
def test_an_envoy(envoys: Callable[[str], str], listener: str, id: str | None, status: str) -> None:
    assert reachable(egress(envoys(listener))).id == id
    assert call(envoys(listener), authority="echo.default.svc.cluster.local:50051").name == status


def test_an_envoy_sees_no_request_and_no_error(provider: str) -> None:
    service = sidecars.MeshService("echo", 50051, [provider], health_check=None)
    with sidecars.Sidecar("sidecar", egress=[service]) as sidecar:
        assert reachable(egress(sidecar.egress)).status == "ok"
        assert sidecar.admin.stat("http.egress.downstream_cx_total") == 1
        assert sidecar.admin.stat("http.egress.downstream_rq_total") == 0
        assert sidecar.admin.stat("http.egress.downstream_cx_protocol_error") == 0


@pytest.mark.finds("DM107")
@pytest.mark.parametrize(
    ("variables", "remedy"), [(direct, "DUBBO_MESH_DIRECT"), (egress, "DUBBO_MESH_EGRESS")]
)
def test_nobody(variables: Callable[[str], dict[str, str]], remedy: str, provider: str) -> None:
    with ReservedPort() as nobody:
        finding = reachable(variables(nobody.address))
        assert finding.id == "DM107"
        assert remedy in finding.remedy
        assert call(nobody.address) is grpc.StatusCode.UNAVAILABLE
    assert reachable(variables(provider)).id is None


@pytest.mark.finds("DM118")
def test_no_way(provider: str) -> None:
    """A port whose queue is full does not answer, as behind a firewall that drops packets."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = f"127.0.0.1:{full.getsockname()[1]}"
        queued: list[socket.socket] = []
        for _ in range(2):
            tried = socket.socket()
            tried.setblocking(False)
            tried.connect_ex(full.getsockname())
            queued.append(tried)
        (finding,) = [
            each
            for each in examined("echo:50051", variables=direct(address), timeout=0.3)
            if each.check == "reachable"
        ]
        assert finding.id == "DM118"
        assert address in finding.finding
        assert call(address, timeout=0.2) is grpc.StatusCode.DEADLINE_EXCEEDED
        for each in queued:
            each.close()
    assert reachable(direct(provider)).id is None


@pytest.mark.finds("DM119")
def test_who_closes_at_once(provider: str) -> None:
    with listening(socket.socket.close) as address:
        assert reachable(direct(address)).id == "DM119"
        assert call(address) is grpc.StatusCode.UNAVAILABLE
    assert reachable(direct(provider)).id is None


@pytest.mark.finds("DM120")
def test_a_web_server(provider: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    try:
        finding = reachable(direct(address))
        assert finding.id == "DM120"
        assert call(address) is grpc.StatusCode.UNAVAILABLE
    finally:
        server.shutdown()
        server.server_close()
    assert reachable(direct(provider)).id is None


@pytest.mark.finds("DM120")
def test_who_says_something_else(provider: str) -> None:
    def greet(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"SSH-2.0-\xff[31mevil\r\n" + b"x" * 5000)

    with listening(greet) as address:
        finding = reachable(direct(address))
        assert finding.id == "DM120"
        assert finding.finding.endswith(r"it says “SSH-2.0-\xff[31mevil”")
        assert call(address) is grpc.StatusCode.UNAVAILABLE


def test_who_drips(provider: str) -> None:
    """What is sent byte by byte takes no longer than the timeout."""

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while not gone.wait(0.05):
                connection.sendall(b"x")

    gone = threading.Event()
    with listening(drip) as address:
        findings = examined("echo:50051", variables=direct(address), timeout=0.3)
        gone.set()
    assert ids(findings) & {"DM120", "DM002"}


@pytest.mark.finds("DM121")
@pytest.mark.parametrize("mutual", [False, True])
def test_a_server_with_tls(provider: str, mutual: bool) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("echo.test")
    credentials = grpc.ssl_server_credentials(
        [(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())],
        authority.cert_pem.bytes() if mutual else None,
        require_client_auth=mutual,
    )
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
        server.start()
        assert reachable(direct(address)).id == "DM121"
        assert call(address) is grpc.StatusCode.UNAVAILABLE
        server.stop(None).wait()
    assert reachable(direct(provider)).id is None


@pytest.mark.finds("DM106")
def test_a_sidecar_by_a_name_that_does_not_exist() -> None:
    [finding] = [
        each for each in examined("echo:1", variables=egress("sidecar.invalid:1")) if each.id == "DM106"
    ]
    assert finding.remedy == "correct the name in DUBBO_MESH_EGRESS"


@pytest.mark.finds("DM122")
def test_a_fallback_for_a_sidecar_that_is_away(provider: str) -> None:
    with ReservedPort() as nobody:
        variables = {
            **egress(nobody.address),
            "DUBBO_MESH_FALLBACK": "direct",
            "DUBBO_MESH_DIRECT": f"echo={provider}",
        }
        findings = examined("echo:50051", variables=variables)
        assert "DM122" in ids(findings)
        assert "DM107" not in ids(findings)
        (dial,) = [each for each in findings if each.check == "dial"]
        assert f"when the sidecar is away for 1 s, {provider}" in dial.finding
        both = {**variables, "DUBBO_MESH_DIRECT": f"echo={nobody.address}"}
        assert ids(examined("echo:50051", variables=both)) & {"DM107", "DM122"} == {"DM107"}
    well = {**variables, "DUBBO_MESH_EGRESS": provider}
    assert ids(examined("echo:50051", variables=well)) & {"DM107", "DM122"} == set()


@pytest.mark.finds("DM105")
def test_a_mode_without_an_address() -> None:
    with ReservedPort() as nobody:
        other = direct(nobody.address) | {"DUBBO_MESH_DIRECT": f"other={nobody.address}"}
        assert "DM105" in ids(examined("echo:1", variables=other))
        fallback = egress(nobody.address) | {"DUBBO_MESH_FALLBACK": "direct"}
        assert "DM105" in ids(examined("echo:1", variables=fallback))
        assert "DM105" not in ids(examined("echo:1", variables=direct(nobody.address)))


@pytest.mark.parametrize(
    ("variables", "connection"),
    [
        ({"POD_IP": "10.1.2.3"}, Connection(None, 50051, "10.1.2.3", intercepted=True)),
        ({}, Connection(None, 50051, None, intercepted=True)),
        ({"DUBBO_MESH_EGRESS": "127.0.0.1:15001"}, Connection("127.0.0.1", 15001, "127.0.0.1")),
        ({"DUBBO_MESH_EGRESS": "[::1]:15001"}, Connection("::1", 15001, "::1")),
        ({"DUBBO_MESH_EGRESS": "sidecar:15001"}, Connection(None, 15001)),
    ],
)
def test_nobody_is_dialled_if_the_configuration_is_from_a_file(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], connection: Connection
) -> None:
    for name in ("DUBBO_MESH_EGRESS", "POD_IP"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    examination = Examination(targets=["echo.default:50051"], config_dumps=[Path("config_dump.json")])
    found = list(check_targets(examination, read_environment(), Budget(5)))
    assert [each.connection for each in found if isinstance(each, Dialled)] == [connection]
    assert [each.status for each in found if isinstance(each, Finding)] == ["ok", "skipped"]
