"""What the doctor says of probes, and of what listens where nobody else can reach it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

import pytest

import dubbo_mesh
import localmesh
from dubbo_mesh._doctor.finding import Finding
from tests.calling.echo import EchoServicer
from tests.doctor.running import examined, ids


def found(server: str, probes: str | None, **variables: str) -> list[Finding]:
    given = {"DUBBO_MESH_ADMIN": "off", **variables}
    if probes is not None:
        given["DUBBO_MESH_PROBES"] = probes
    return [each for each in examined(variables=given, server=server) if each.check in ("health", "probes")]


def probed(probes: str, **variables: str) -> list[Finding]:
    return [each for each in found("127.0.0.1:1", probes, **variables) if each.check == "probes"]


@pytest.fixture(scope="module")
def ours() -> Iterator[dubbo_mesh.Server]:
    with dubbo_mesh.Server(
        EchoServicer(), address="[::]:0", sidecar="off", probes="[::]:0", drain=0
    ) as server:
        yield server


@contextmanager
def answering(answer: bytes) -> Generator[str]:
    """The address of a peer that answers whatever it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer, suppress(OSError):  # reset by those who have seen enough
                    peer.recv(4096)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0.0.0.0", "[::]", "localhost"])
def test_all_is_well(ours: dubbo_mesh.Server, host: str) -> None:
    (finding,) = probed(f"{host}:{ours.probes_port}")
    assert finding.status == "ok"
    assert finding.finding == f"{host}:{ours.probes_port}: /live true, /startup true, /ready true"


@pytest.mark.finds("DM405")
def test_not_ready(ours: dubbo_mesh.Server) -> None:
    ours.set_serving("", False)
    try:
        (finding,) = probed(f"127.0.0.1:{ours.probes_port}")
    finally:
        ours.set_serving("", True)
    assert finding.id == "DM405"
    assert finding.finding.endswith(": /live true, /startup true, /ready false")


@pytest.mark.finds("DM420")
def test_starting() -> None:
    up = threading.Event()
    starting = threading.Event()

    def on_start(_: dubbo_mesh.Server) -> None:
        starting.set()
        up.wait()

    server = dubbo_mesh.Server(
        EchoServicer(), address="127.0.0.1:0", sidecar="off", probes="127.0.0.1:0", drain=0, on_start=on_start
    )
    thread = threading.Thread(target=server.start)
    thread.start()
    starting.wait()
    try:
        findings = found(f"127.0.0.1:{server.ports[0]}", f"127.0.0.1:{server.probes_port}")
    finally:
        up.set()
        thread.join()
        server.stop(None).wait()
    assert ids(findings) & {"DM403", "DM420", "DM405"} == {"DM403", "DM420"}


@pytest.mark.finds("DM419")
def test_not_live() -> None:
    with answering(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nfalse") as address:
        assert ids(probed(address)) == {"DM419"}


@pytest.mark.finds("DM404")
def test_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    assert ids(probed(address)) == {"DM404"}


@pytest.mark.finds("DM404")
@pytest.mark.parametrize(("host", "finds"), [({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, True), ({}, False)])
def test_nobody_at_the_default_address(
    monkeypatch: pytest.MonkeyPatch, host: dict[str, str], finds: bool
) -> None:
    """Elsewhere than in a pod it is no fault: the code may say another address."""
    with localmesh.ReservedPort() as nobody:
        monkeypatch.setattr("dubbo_mesh._addressing.environment.DEFAULT_PROBES", f"[::]:{nobody.number}")
        (finding,) = [each for each in found("127.0.0.1:1", None, **host) if each.check == "probes"]
    assert finding.id == ("DM404" if finds else None)
    assert finding.status == ("failed" if finds else "skipped")


@pytest.mark.finds("DM421")
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 503 \r\n\r\ntrue",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\xff" * 10000,
    ],
)
def test_a_stranger(answer: bytes) -> None:
    with answering(answer) as address:
        (finding,) = probed(address)
    assert finding.id == "DM421"
    assert len(finding.finding) < 200


@pytest.mark.finds("DM421")
def test_a_grpc_server() -> None:
    with dubbo_mesh.Server(
        EchoServicer(), address="127.0.0.1:0", sidecar="off", probes="off", drain=0
    ) as server:
        assert ids(probed(f"127.0.0.1:{server.ports[0]}")) <= {"DM404", "DM421"}


@pytest.mark.finds("DM404")
def test_a_peer_that_never_comes_to_an_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                while not stop.wait(0.01):
                    try:
                        peer.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        given = {"DUBBO_MESH_ADMIN": "off", "DUBBO_MESH_PROBES": f"127.0.0.1:{listener.getsockname()[1]}"}
        findings = examined(variables=given, server="127.0.0.1:1", timeout=2)
        stop.set()
        thread.join()
    assert "DM404" in ids(findings)


def test_off() -> None:
    (finding,) = probed("off")
    assert finding.status == "skipped"


POD = {"POD_IP": "127.0.0.2"}  # another address of this host


class TestWhatOnlyThePodItselfCanReach:
    @pytest.mark.finds("DM418")
    def test_a_server(self, ours: dubbo_mesh.Server) -> None:
        with dubbo_mesh.Server(
            EchoServicer(), address="127.0.0.1:0", sidecar="off", probes="off", drain=0
        ) as hidden:
            assert "DM418" in ids(found(f"127.0.0.1:{hidden.ports[0]}", "off", **POD))
            assert "DM418" not in ids(found(f"127.0.0.1:{hidden.ports[0]}", "off"))
        assert "DM418" not in ids(found(f"127.0.0.1:{ours.ports[0]}", "off", **POD))

    @pytest.mark.finds("DM422")
    def test_probes_on_ipv4_in_a_pod_with_ipv6(self) -> None:
        """For gRPC's own port 0.0.0.0 is IPv6 too."""
        with dubbo_mesh.Server(
            EchoServicer(), address="0.0.0.0:0", sidecar="off", probes="0.0.0.0:0", drain=0
        ) as old:
            addresses = f"0.0.0.0:{old.ports[0]}", f"0.0.0.0:{old.probes_port}"
            assert ids(found(*addresses, POD_IP="::1")) & {"DM418", "DM422"} == {"DM422"}
            assert ids(found(*addresses, POD_IP="127.0.0.2")) & {"DM418", "DM422"} == set()

    @pytest.mark.finds("DM418")
    def test_by_what_it_listens_on(self, ours: dubbo_mesh.Server) -> None:
        """In a pod the address alone tells; that of `--server` need not be the one that is listened on."""
        pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
        address = f"127.0.0.1:{ours.ports[0]}"
        assert "DM418" in ids(found("auto", "off", DUBBO_MESH_LISTEN=address, **pod))
        assert "DM418" not in ids(found("auto", "off", DUBBO_MESH_LISTEN=f"[::]:{ours.ports[0]}", **pod))
        assert "DM418" not in ids(found(address, "off", **pod))

    @pytest.mark.finds("DM422")
    def test_probes(self, ours: dubbo_mesh.Server) -> None:
        with dubbo_mesh.Server(
            EchoServicer(), address="127.0.0.1:0", sidecar="off", probes="127.0.0.1:0", drain=0
        ) as hidden:
            assert "DM422" in ids(probed(f"127.0.0.1:{hidden.probes_port}", **POD))
            assert "DM422" in ids(
                probed(f"127.0.0.1:{hidden.probes_port}", KUBERNETES_SERVICE_HOST="10.0.0.1")
            )
        pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", **POD}
        assert ids(probed(f"[::]:{ours.probes_port}", **pod)) == set()
        assert ids(probed(f"[::]:{ours.probes_port}", POD_IP="nonsense")) == set()
