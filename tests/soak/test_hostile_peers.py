# ruff: noqa: T201 - what was measured is for people to read
"""Peers that mean harm, or do it: no crash, no leak, a clear status."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import localmesh
from tests.calling.echo import EchoStub
from tests.serving.conftest import Health, Kind, probe
from tests.soak.servers import ServerProcess

pytestmark = pytest.mark.timeout(300)

MEGABYTE = 1 << 20

XFCC = (
    'By=spiffe://a;Hash=00;Subject="' + "\\" * 2000,
    ";" * 6000,
    ",".join("By=x;By=y" for _ in range(600)),
    'Subject="' + 'a"b\\",;=' * 700,
    "=" * 6000,
    'URI=;DNS=;Cert="%' + "%ff" * 1500,
)


def costs(server: ServerProcess) -> tuple[int, int, int]:
    return server.memory, server.threads, server.descriptors


def no_leak(what: str, server: ServerProcess, attack: Callable[[], object]) -> None:
    """Runs an attack twice: the second time must cost nothing more."""
    idle = server.descriptors

    def has_let_go() -> bool:
        """Whether the connections are gone; the server learns of their end in its own time."""
        return server.descriptors <= idle + 8

    attack()
    localmesh.wait_until(has_let_go, what=f"connections are closed after {what}")
    before = costs(server)
    attack()
    localmesh.wait_until(has_let_go, what=f"connections are closed after {what} again")
    after = costs(server)
    print(f"\n{what}: {before[0] // MEGABYTE} -> {after[0] // MEGABYTE} MB, ", end="")
    print(f"{before[1]} -> {after[1]} threads, {before[2]} -> {after[2]} descriptors")
    assert after[0] < before[0] + 8 * MEGABYTE
    assert after[1] <= before[1] + 2
    assert probe(server.probes, "/live") == (200, "true")


@pytest.fixture
def server(kind: Kind, tmp_path: Path) -> Any:
    with ServerProcess(kind, tmp_path / "log") as server:
        yield server


@pytest.fixture(params=["sync", "aio"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_slowloris_on_the_probes(server: ServerProcess) -> None:
    def attack() -> None:
        over = threading.Event()
        opened: list[socket.socket] = []

        def trickle() -> None:
            while not over.is_set():
                opened.append(socket.create_connection(("127.0.0.1", server.probes), 5))
                for peer in opened[-100:]:
                    try:
                        peer.send(b"G")
                    except OSError:
                        continue

        threads = [threading.Thread(target=trickle) for _ in range(4)]
        for thread in threads:
            thread.start()
        slowest = 0.0
        try:
            for _ in range(50):
                began = time.monotonic()
                answered = probe(server.probes, "/live")
                slowest = max(slowest, time.monotonic() - began)
                assert answered == (200, "true")
        finally:
            over.set()
            for thread in threads:
                thread.join()
            for peer in opened:
                peer.close()
        print(f"\n{len(opened)} slow connections, slowest probe {slowest * 1000:.0f} ms")
        assert slowest < 1

    no_leak("slowloris", server, attack)


def test_a_mebibyte_of_metadata(server: ServerProcess) -> None:
    def attack() -> None:
        for _ in range(20):
            with grpc.insecure_channel(server.address) as channel:
                with pytest.raises(grpc.RpcError) as raised:
                    EchoStub(channel).unary(
                        StringValue(value="hello"), metadata=(("x-large", "x" * MEGABYTE),), timeout=10
                    )
                assert raised.value.code() in {
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    grpc.StatusCode.UNAVAILABLE,
                }
                assert EchoStub(channel).unary(StringValue(value="hello"), timeout=5).value == "hello"

    no_leak("1 MiB of metadata", server, attack)


def test_malformed_client_certificates(server: ServerProcess) -> None:
    def attack() -> None:
        with grpc.insecure_channel(server.address) as channel:
            stub = EchoStub(channel)
            for value in XFCC * 20:
                metadata = (("x-forwarded-client-cert", value),)
                assert stub.unary(StringValue(value="cert"), metadata=metadata, timeout=5).value == "cert"

    no_leak("malformed x-forwarded-client-cert", server, attack)


def test_names_of_services_that_cannot_be(server: ServerProcess) -> None:
    def attack() -> None:
        with grpc.insecure_channel(server.address) as channel:
            health = Health(channel)
            for name in ("../../etc/passwd", "x" * 1_000_000, "\0", "🦆", "test.Echo ", "TEST.ECHO") * 10:
                with pytest.raises(grpc.RpcError) as raised:
                    health.check(name)
                assert raised.value.code() is grpc.StatusCode.NOT_FOUND
                assert len(raised.value.details() or "") < 200
                assert next(health.watch(name)) == "SERVICE_UNKNOWN"

    no_leak("invalid names of services", server, attack)


def test_bytes_that_are_not_http(server: ServerProcess) -> None:
    def attack() -> None:
        for port in (server.probes, int(server.address.rpartition(":")[2])):
            for garbage in (
                b"\0" * 100_000,
                b"GET / HTTP/1.1\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 9999,
            ):
                with socket.create_connection(("127.0.0.1", port), 5) as peer:
                    try:
                        peer.sendall(garbage)
                        peer.shutdown(socket.SHUT_WR)
                        peer.settimeout(2)
                        while peer.recv(65536):
                            pass
                    except OSError:
                        continue

    no_leak("garbage", server, attack)
