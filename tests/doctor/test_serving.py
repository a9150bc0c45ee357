"""What the doctor says of this application's own servers: real ones, and peers that are none."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import h2.config
import h2.connection
import h2.events
import pytest
import trustme
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

import dubbo_mesh
import dubbo_mesh.aio
from dubbo_mesh._doctor.finding import Finding
from tests.calling.echo import ECHO, EchoServicer, add_EchoServicer_to_server
from tests.doctor.running import examined, ids
from tests.doctor.servers import OFF, plain

MODULE = "doctor_echo_mesh"

pytestmark = pytest.mark.usefixtures("echo_module")


@pytest.fixture(scope="module")
def ours() -> Iterator[dubbo_mesh.Server]:
    with dubbo_mesh.Server(
        EchoServicer(), address="127.0.0.1:0", sidecar="off", probes="127.0.0.1:0", drain=0
    ) as server:
        yield server


def by_hand(**statuses: str) -> Callable[[grpc.Server], object]:
    """Adds grpcio's own health servicer."""
    servicer = health.HealthServicer()
    for name, status in statuses.items():
        servicer.set(name.replace("_", "."), getattr(health_pb2.HealthCheckResponse, status))
    return lambda server: health_pb2_grpc.add_HealthServicer_to_server(servicer, server)


def found(server: str, *targets: str, **variables: str) -> list[Finding]:
    every = [*examined(*targets, variables=OFF | variables, server=server)]
    return [each for each in every if each.check in ("health", "probes", "keepalive", "reflection")]


def of(findings: Sequence[Finding], id: str) -> Finding:
    (one,) = [each for each in findings if each.id == id]
    return one


class TestOurs:
    @pytest.mark.parametrize("name", ["DM401", "DM402", "DM403", "DM411", "DM412", "DM413", "DM417", "DM440"])
    def test_is_well(self, ours: dubbo_mesh.Server, name: str) -> None:
        findings = found(f"127.0.0.1:{ours.ports[0]}", MODULE, DUBBO_MESH_APP="echo")
        assert name not in ids(findings)
        assert {each.status for each in findings if each.check != "probes"} <= {"ok"}, findings

    def test_is_not_called(self, ours: dubbo_mesh.Server) -> None:
        """The services of this application are looked at where it serves them: it need not reach itself."""
        address = f"127.0.0.1:{ours.ports[0]}"
        own = examined(MODULE, variables=OFF | {"DUBBO_MESH_APP": "echo"}, server=address)
        assert not [each for each in own if each.check in ("dns", "reachable")]
        assert "DM106" not in ids(own)
        without = examined(MODULE, variables=OFF | {"DUBBO_MESH_APP": "echo"})
        [dial] = [each for each in without if each.check in ("dial", "dns", "reachable")]
        assert dial.status == "skipped"
        assert "--server auto looks at its server" in dial.finding
        other = examined(MODULE, variables=OFF | {"DUBBO_MESH_APP": "web"})
        assert [each for each in other if each.check in ("dns", "reachable")]

    def test_on_asyncio_is_well(self) -> None:
        from tests.calling.echo import EchoAsyncServicer

        async def examine() -> list[Finding]:
            async with dubbo_mesh.aio.Server(
                EchoAsyncServicer(), address="127.0.0.1:0", sidecar="off", probes="off", drain=0
            ) as server:
                address = f"127.0.0.1:{server.ports[0]}"
                return await asyncio.to_thread(found, address, MODULE, DUBBO_MESH_APP="echo")

        findings = asyncio.run(examine())
        assert {each.status for each in findings if each.check != "probes"} <= {"ok"}, findings

    def test_at_a_unix_socket_is_well(self, tmp_path: Path) -> None:
        address = f"unix:{tmp_path / 'app.sock'}"
        with dubbo_mesh.Server(EchoServicer(), address=address, sidecar="off", probes="off", drain=0):
            assert ids(found(address)) <= {"DM423"}

    def test_by_the_address_that_it_listens_on(self, ours: dubbo_mesh.Server) -> None:
        listen = f"0.0.0.0:{ours.ports[0]},127.0.0.1:{ours.ports[0]}"
        findings = found("auto", DUBBO_MESH_LISTEN=listen)
        assert [each.subject for each in findings if each.check == "health"] == listen.split(",")
        assert ids(findings) <= {"DM423"}

    @pytest.mark.finds("DM406")
    @pytest.mark.parametrize(
        ("given", "seen"),
        [
            ("nonsense", "must have the form host:port"),
            ("auto", "neither DUBBO_MESH_LISTEN nor"),
            ("unix:", "unix:path"),
            ("127.0.0.1:0", "port"),
            (",", "must have the form host:port"),
        ],
    )
    def test_at_no_address(self, given: str, seen: str) -> None:
        assert seen in of(found(given), "DM406").finding

    @pytest.mark.finds("DM403")
    @pytest.mark.finds("DM411")
    def test_taken_out(self) -> None:
        with dubbo_mesh.Server(
            EchoServicer(), address="127.0.0.1:0", sidecar="off", probes="off", drain=0
        ) as server:
            address = f"127.0.0.1:{server.ports[0]}"
            server.set_serving(ECHO, False)
            one = found(address, MODULE, DUBBO_MESH_APP="echo")
            server.set_serving("", False)
            both = found(address, MODULE, DUBBO_MESH_APP="echo")
        assert ids(one) & {"DM403", "DM411"} == {"DM411"}
        assert of(one, "DM411").subject == "test.Echo"
        assert ids(both) & {"DM403", "DM411"} == {"DM403"}


class Refusing(grpc.ServerInterceptor):
    """Lets nobody in, health checks neither."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self.code = code

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        def refuse(request: object, context: grpc.ServicerContext) -> None:
            context.abort(self.code, "who are you?")

        handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(refuse)
        return handler


class Busy(health_pb2_grpc.HealthServicer):
    """Never answers in time."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.over.wait()
        return health_pb2.HealthCheckResponse()


def add_echo(server: grpc.Server) -> None:
    add_EchoServicer_to_server(EchoServicer(), server)


def add_echo_without_health(server: grpc.Server) -> None:
    """As protoc's generated code does it: `add_servicer` would register the health service too."""

    def unary(request: bytes, context: grpc.ServicerContext) -> bytes:
        return request

    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]]
    handlers = {"unary": grpc.unary_unary_rpc_method_handler(unary)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))


class TestPlainServers:
    @pytest.mark.finds("DM402")
    def test_without_health(self) -> None:
        with plain() as address:
            assert "DM402" in ids(found(address))

    def test_with_a_servicer_of_ours(self) -> None:
        """`add_..._to_server` of a generated module registers the health service."""
        with plain(add_echo) as address:
            findings = found(address, MODULE, DUBBO_MESH_APP="echo")
        assert ids(findings) <= {"DM423", "DM440"}

    @pytest.mark.finds("DM412")
    @pytest.mark.finds("DM417")
    def test_with_health_by_hand(self) -> None:
        with plain(add_echo_without_health, by_hand()) as address:
            findings = found(address, MODULE, DUBBO_MESH_APP="echo")
        assert ids(findings) - {"DM423"} == {"DM412", "DM417", "DM440"}
        assert "serves test.Echo, but has no status for test.Echo" in of(findings, "DM412").finding

    def test_with_all_names_by_hand(self) -> None:
        with plain(add_echo_without_health, by_hand(test_Echo="SERVING", liveness="SERVING")) as address:
            findings = found(address, MODULE, DUBBO_MESH_APP="echo")
        assert ids(findings) - {"DM423"} == {"DM440"}

    def test_with_no_status_for_the_whole_server(self) -> None:
        class Nothing(health_pb2_grpc.HealthServicer):
            def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
                context.abort(grpc.StatusCode.NOT_FOUND, "")

        with plain(lambda server: health_pb2_grpc.add_HealthServicer_to_server(Nothing(), server)) as address:
            findings = found(address)
        assert ids(findings) - {"DM423"} == {"DM412", "DM417", "DM440"}

    @pytest.mark.finds("DM413")
    def test_that_lack_a_service(self) -> None:
        with plain(by_hand()) as address:
            findings = found(address, MODULE, DUBBO_MESH_APP="echo")
            guess = found(address, MODULE)
            others = found(address, MODULE, DUBBO_MESH_APP="shop")
        assert "does not serve test.Echo" in of(findings, "DM413").finding
        assert "DM413" not in ids(guess) | ids(others)
        assert ["set DUBBO_MESH_APP" in each.remedy for each in guess if each.status == "skipped"].count(
            True
        ) == 1
        assert not [each for each in others if "test.Echo" in each.finding]

    @pytest.mark.finds("DM413")
    def test_on_asyncio_that_lack_a_service(self) -> None:
        """One that has it need not answer a call without a request: then nothing is said of it."""

        async def examine(*handlers: grpc.GenericRpcHandler) -> list[Finding]:
            server = grpc.aio.server()
            server.add_generic_rpc_handlers(handlers)
            address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
            await server.start()
            try:
                return await asyncio.to_thread(found, address, MODULE, DUBBO_MESH_APP="echo")
            finally:
                await server.stop(None)

        async def unary(request: bytes, context: object) -> bytes:
            return request

        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(unary)
        has = grpc.method_handlers_generic_handler("test.Echo", {"unary": handler})
        assert "DM413" in ids(asyncio.run(examine()))
        assert "DM413" not in ids(asyncio.run(examine(has)))

    @pytest.mark.finds("DM413")
    def test_that_direct_mode_calls(self) -> None:
        with plain(by_hand()) as address:
            direct = {"DUBBO_MESH_MODE": "direct", "DUBBO_MESH_DIRECT": f"echo={address}"}
            assert "DM413" in ids(found(address, MODULE, **direct))

    @pytest.mark.finds("DM414")
    @pytest.mark.parametrize("code", ["UNAUTHENTICATED", "PERMISSION_DENIED"])
    def test_that_refuse_health_checks(self, code: str) -> None:
        refusing = Refusing(getattr(grpc.StatusCode, code))
        with plain(add_echo, interceptors=[refusing]) as address:
            findings = found(address)
        assert of(findings, "DM414").finding == f"{address}: {code}: who are you?"

    @pytest.mark.finds("DM415")
    def test_whose_health_service_raises(self) -> None:
        with plain(add_echo, interceptors=[Refusing(grpc.StatusCode.INTERNAL)]) as address:
            assert "DM415" in ids(found(address))

    @pytest.mark.finds("DM415")
    def test_whose_health_service_answers_something_else(self, caplog: pytest.LogCaptureFixture) -> None:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            return b"\xff"

        check: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
        generic = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})
        with plain(lambda server: server.add_generic_rpc_handlers((generic,))) as address:
            assert "DM415" in ids(found(address))
        assert caplog.text == ""

    @pytest.mark.finds("DM416")
    def test_whose_health_service_is_busy(self) -> None:
        busy = Busy()
        with plain(lambda server: health_pb2_grpc.add_HealthServicer_to_server(busy, server)) as address:
            try:
                findings = examined(variables=OFF, server=address, timeout=0.7)
            finally:
                busy.over.set()
        assert "DM416" in ids(findings)

    @pytest.mark.finds("DM440")
    def test_that_do_not_take_pings(self) -> None:
        with plain() as address:
            finding = of(found(address), "DM440")
        assert "too_many_pings" in finding.finding
        options = [("grpc.http2.max_ping_strikes", 0), ("grpc.http2.min_ping_interval_without_data_ms", 5000)]
        assert f"options={options}".replace("'", '"') in finding.remedy
        with plain(options=options) as address:
            assert "DM440" not in ids(found(address))


def serve_pages(server: socket.socket) -> None:
    """Answers requests over HTTP/2 with 404."""
    while True:
        try:
            peer, _ = server.accept()
        except OSError:
            return
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        with peer, suppress(OSError):  # reset by those who have seen enough
            peer.sendall(connection.data_to_send())
            while received := peer.recv(65536):
                for event in connection.receive_data(received):
                    if isinstance(event, h2.events.RequestReceived):
                        connection.send_headers(event.stream_id, [(":status", "404")], end_stream=True)
                peer.sendall(connection.data_to_send())


class TestWhatIsNoGrpcServer:
    @pytest.mark.finds("DM401")
    def test_nobody(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            address = f"127.0.0.1:{closed.getsockname()[1]}"
        assert "DM401" in ids(found(address))
        assert "DM401" in ids(found("no-such-host.invalid:1"))
        assert "DM401" in ids(found("unix:/nowhere/app.sock"))

    @pytest.mark.finds("DM407")
    def test_silence(self) -> None:
        """A server that accepts and never answers: all checks together end with --timeout."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            findings = examined(variables=OFF, server=address, timeout=0.3)
        assert ids(findings) == {"DM407"}

    @pytest.mark.finds("DM409")
    def test_http_1(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            findings = found(f"127.0.0.1:{server.server_port}")
            server.shutdown()
        assert "does not speak HTTP/2: '<!DOCTYPE HTML>" in of(findings, "DM409").finding

    @pytest.mark.finds("DM409")
    def test_http_2(self) -> None:
        """A server of websites, which answers 404 to what it does not know."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=serve_pages, args=(server,), daemon=True).start()
            address = f"127.0.0.1:{server.getsockname()[1]}"
            finding = of(found(address), "DM409")
            server.shutdown(socket.SHUT_RDWR)
        assert "HTTP/2, but not gRPC: Received http2 header with status: 404" in finding.finding

    @pytest.mark.finds("DM409")
    @pytest.mark.parametrize(
        "says", [b"220 smtp.example ESMTP\r\n", b"", b"\0\0\1\4\0\0\0\0\0", b"\xff" * 4096]
    )
    def test_other_protocols(self, says: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:

            def serve() -> None:
                while True:
                    try:
                        peer, _ = server.accept()
                    except OSError:
                        return
                    with peer, suppress(OSError):
                        peer.sendall(says)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown, socket.SHUT_RDWR)
            findings = examined(variables=OFF, server=f"127.0.0.1:{server.getsockname()[1]}", timeout=2)
        assert ids(findings) & {"DM409", "DM415", "DM416"}, findings

    @pytest.mark.finds("DM408")
    @pytest.mark.parametrize("mutual", [False, True])
    def test_tls(self, mutual: bool, tmp_path: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("localhost")
        credentials = grpc.ssl_server_credentials(
            [(issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())],
            authority.cert_pem.bytes() if mutual else None,
            mutual,
        )
        with dubbo_mesh.Server(
            EchoServicer(),
            address="127.0.0.1:0",
            sidecar="off",
            probes="off",
            drain=0,
            credentials=credentials,
        ) as server:
            address = f"127.0.0.1:{server.ports[0]}"
            sidecar = found(address)
            without = found(address, DUBBO_MESH_MODE="direct")
        assert ids(sidecar) == {"DM408"}
        assert ids(without) == set()
        assert [each.status for each in without if each.subject == address] == ["skipped"]
