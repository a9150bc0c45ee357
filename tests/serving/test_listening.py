"""Where a server listens, and that it shares an address with nobody unless it is told to."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
import localmesh
from dubbo_mesh._serving.listening import addresses_of, channel_arguments
from tests.calling.echo import EchoStub
from tests.serving import fake_admin
from tests.serving.conftest import Kind, Running
from tests.serving.fake_admin import FakeAdmin
from tests.serving.test_lifecycle import ipv6, servicer_at

Serve = Callable[..., Running]


@pytest.mark.skipif(not ipv6(), reason="this machine has no IPv6")
def test_a_port_that_is_taken_on_ipv6_is_taken(make: Serve) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"cannot listen on \[::\]:{port}: is the port taken"):
            make(address=None, port=port).start()
        # grpc alone would listen on IPv4 and say nothing.
        plain = grpc.server(ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
        assert plain.add_insecure_port(f"[::]:{port}") == port


@pytest.mark.skipif(not ipv6(), reason="this machine has no IPv6")
def test_by_default_it_is_reached_by_ipv6_and_ipv4(make: Serve) -> None:
    with localmesh.ReservedPort() as port:
        running = make(servicer_at(port.number, "test.Here"), address=None).start()
        for host in ("127.0.0.1", "[::1]"):
            with grpc.insecure_channel(f"{host}:{running.port}") as channel:
                grpc.channel_ready_future(channel).result(5)


def test_a_port_may_be_shared_by_those_who_ask(make: Serve) -> None:
    share: Any = {"options": [("grpc.so_reuseport", 1)]}
    with localmesh.ReservedPort() as port:
        first = make(address=None, port=port.number, **share).start()
        second = make(address=None, port=port.number, **share).start()
        assert first.port == second.port == port.number


def test_options_given_take_the_place_of_ours() -> None:
    assert dict(channel_arguments(()))["grpc.so_reuseport"] == 0
    arguments = channel_arguments([("grpc.so_reuseport", 1), ("grpc.max_connection_age_ms", 1000)])
    assert [value for name, value in arguments if name == "grpc.so_reuseport"] == [1]
    assert ("grpc.max_connection_age_ms", 1000) in arguments


def test_a_unix_socket_in_use_is_left_to_its_owner(make: Serve, tmp_path: Path) -> None:
    address = f"unix:{tmp_path / 'app.sock'}"
    first = make(address=address).start()
    with pytest.raises(OSError, match="another server has that path"):
        make(address=address).start()
    with grpc.insecure_channel(address) as channel:
        assert EchoStub(channel).unary(StringValue(value="still here")).value == "still here"
    first.drain()
    assert not (tmp_path / "app.sock").exists()


def test_a_unix_socket_that_was_left_behind_is_taken_over(make: Serve, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    make(address=f"unix:{path}").start()
    with grpc.insecure_channel(f"unix:{path}") as channel:
        assert EchoStub(channel).unary(StringValue(value="here")).value == "here"


def test_a_file_in_the_place_of_a_socket_stays(make: Serve, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    path.write_text("mine")
    with pytest.raises(OSError, match="not a socket"):
        make(address=f"unix:{path}").start()
    assert path.read_text() == "mine"


def test_a_server_without_servicers_has_to_be_told_where(kind: Kind, loop: Any) -> None:
    settings: Any = {"probes": "off", "sidecar": "off"}
    if kind == "sync":
        with pytest.raises(
            dubbo_mesh.ConfigurationError, match="neither a generated servicer nor an address"
        ):
            dubbo_mesh.Server(**settings).start()
        return

    async def start() -> None:
        await dubbo_mesh.aio.Server(**settings).start()

    with pytest.raises(dubbo_mesh.ConfigurationError, match="neither a generated servicer nor an address"):
        loop.run(start())


@pytest.mark.parametrize(
    ("address", "port", "listen", "expected"),
    [
        ("127.0.0.1:1", None, ("[::]:2",), ("127.0.0.1:1",)),
        (None, 3, ("[::]:2",), ("[::]:3",)),
        (None, None, ("[::]:2", "unix:/run/app"), ("[::]:2", "unix:/run/app")),
        (None, None, (), ("[::]:7", "[::]:8")),
    ],
)
def test_arguments_win_over_the_environment_and_that_over_the_services(
    address: str | None, port: int | None, listen: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    services = [dubbo_mesh.Service(f"test.Of{number}", port=number) for number in (7, 8, 7)]
    assert addresses_of(address, port, listen, services) == expected


def test_the_log_says_where_it_listens(make: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "dubbo_mesh")
    running = make(address="127.0.0.1:0").start()
    assert f"serving test.Echo on 127.0.0.1:{running.port}" in caplog.text


def test_a_pod_without_a_sidecar_serves_at_once(
    make: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dubbo_mesh")
    with localmesh.ReservedPort() as nobody:
        monkeypatch.setattr("dubbo_mesh._addressing.environment.DEFAULT_ADMIN", nobody.address)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        make(sidecar=None).start()
        assert f"no sidecar at {nobody.address}: starting without it" in caplog.text


def test_an_admin_that_accepts_is_a_sign_of_a_sidecar(make: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_admin.FakeAdmin() as admin:
        admin.answers["/ready"] = fake_admin.INITIALIZING
        monkeypatch.setattr("dubbo_mesh._addressing.environment.DEFAULT_ADMIN", admin.address)
        started: list[object] = []
        running = make(sidecar=None, on_start=started.append)
        thread = threading.Thread(target=running.start)
        thread.start()
        localmesh.wait_until(lambda: len(admin.requests) > 3, what="it waits for the sidecar")
        assert not started
        admin.answers["/ready"] = fake_admin.LIVE
        thread.join(10)
        assert started


def test_a_sidecar_that_comes_late_is_told(make: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with localmesh.ReservedPort() as port:
        monkeypatch.setattr("dubbo_mesh._addressing.environment.DEFAULT_ADMIN", port.address)
        make(sidecar=None).start()
        with FakeAdmin(port.number) as admin:
            localmesh.wait_until(admin.told, what="the sidecar is told")
            assert set(admin.told()) == {"/healthcheck/ok"}


def test_without_anybody_to_notice_nothing_is_waited_for(
    make: Serve, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dubbo_mesh")
    make(drain=None).start().drain()
    assert "nobody has asked for this server's health" in caplog.text


def test_with_a_prober_there_is_somebody_to_notice(make: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "dubbo_mesh")
    running = make(drain=None, probes="127.0.0.1:0").start()
    assert running.probe("/ready") == (200, "true")
    running.drain()
    assert "no call for 2 s" in caplog.text


def test_with_kubernetes_there_is_somebody_to_notice(
    make: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dubbo_mesh")
    monkeypatch.setitem(os.environ, "KUBERNETES_SERVICE_HOST", "10.0.0.1")
    make(drain=None).start().drain()
    assert "no call for 2 s" in caplog.text
