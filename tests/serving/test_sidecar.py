"""What `Sidecar` asks and tells Envoy's admin endpoint, and how it takes what comes back. Sync and async."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import dubbo_mesh
import dubbo_mesh.aio
import localmesh
from tests import sidecars
from tests.serving import fake_admin
from tests.serving.conftest import Kind
from tests.serving.fake_admin import FakeAdmin


class Either:
    """A `Sidecar` or its twin, called the same way."""

    def __init__(self, kind: Kind, *arguments: Any, **keywords: Any) -> None:
        twin = dubbo_mesh.Sidecar if kind == "sync" else dubbo_mesh.aio.Sidecar
        self.sidecar = twin(*arguments, **keywords)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.sidecar, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            result = method(*arguments, **keywords)
            return asyncio.run(result) if asyncio.iscoroutine(result) else result

        return call


@pytest.fixture
def admin() -> Iterator[FakeAdmin]:
    with FakeAdmin() as admin:
        yield admin


def test_each_step_is_one_request(kind: Kind, admin: FakeAdmin) -> None:
    sidecar = Either(kind, admin.address)
    assert sidecar.ready() is True
    assert sidecar.wait_ready(1) is True
    sidecar.healthy()
    sidecar.failing()
    sidecar.drain()
    sidecar.exit()
    assert admin.requests == [
        "GET /ready",
        "GET /ready",
        "POST /healthcheck/ok",
        "POST /healthcheck/fail",
        "POST /drain_listeners?inboundonly&graceful&skip_exit",
        "POST /quitquitquit",
    ]


def test_a_sidecar_that_was_told_to_be_failing_is_ready(kind: Kind, admin: FakeAdmin) -> None:
    admin.answers["/ready"] = fake_admin.DRAINING
    assert Either(kind, admin.address).ready() is True
    admin.answers["/ready"] = fake_admin.INITIALIZING
    assert Either(kind, admin.address, timeout=0.3).ready() is False


def test_waiting_ends_when_the_sidecar_is_ready(kind: Kind, admin: FakeAdmin) -> None:
    admin.answers["/ready"] = fake_admin.INITIALIZING
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(Either(kind, admin.address).wait_ready, 3600)
        localmesh.wait_until(lambda: admin.requests.count("GET /ready") > 2, what="it has asked some times")
        assert not waiting.done()
        admin.answers["/ready"] = fake_admin.LIVE
        assert waiting.result(20) is True


def test_waiting_is_bounded(kind: Kind) -> None:
    assert Either(kind, f"127.0.0.1:{free_port()}").wait_ready(0.4) is False


def hang(peer: socket.socket) -> None:
    while peer.recv(100):
        pass


def trickle(peer: socket.socket) -> None:
    try:
        for byte in itertools.cycle(fake_admin.OK):
            peer.sendall(bytes([byte]))
            time.sleep(0.05)
    except OSError:
        return


def close(peer: socket.socket) -> None:
    peer.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "answer", [hang, trickle, close, fake_admin.REFUSED, b"SSH-2.0-OpenSSH\r\n", b"\0" * 100_000]
)
def test_a_sidecar_that_misbehaves_is_an_error_in_time(kind: Kind, admin: FakeAdmin, answer: Any) -> None:
    admin.answers[""] = admin.answers["/ready"] = answer
    sidecar = Either(kind, admin.address, timeout=0.3)
    with pytest.raises(dubbo_mesh.SidecarError, match=f"{admin.address}/healthcheck/ok: .*DUBBO_MESH_ADMIN"):
        sidecar.healthy()
    assert sidecar.ready() is False


def test_nobody_there_is_an_error_that_says_so(kind: Kind) -> None:
    with pytest.raises(
        dubbo_mesh.SidecarError, match=r"127\.0\.0\.1:\d+/healthcheck/fail: .*[Rr]efused"
    ) as raised:
        Either(kind, f"127.0.0.1:{free_port()}").failing()
    assert isinstance(raised.value, ConnectionError)


def test_the_address_is_the_environments_unless_given(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Either(kind).sidecar.admin == "127.0.0.1:15000"
    monkeypatch.setenv("DUBBO_MESH_ADMIN", "10.1.2.3:19000")
    assert Either(kind).sidecar.admin == "10.1.2.3:19000"
    assert Either(kind, "[::1]:15000").sidecar.admin == "[::1]:15000"
    monkeypatch.setenv("DUBBO_MESH_ADMIN", "off")
    with pytest.raises(ValueError, match="DUBBO_MESH_ADMIN"):
        Either(kind)
    with pytest.raises(ValueError, match="host:port"):
        Either(kind, "nowhere")


def test_the_event_loop_goes_on_while_the_sidecar_hangs(admin: FakeAdmin) -> None:
    admin.answers[""] = hang
    ticks = 0

    async def main() -> None:
        nonlocal ticks
        telling = asyncio.ensure_future(dubbo_mesh.aio.Sidecar(admin.address, timeout=0.5).healthy())
        while not telling.done():
            ticks += 1
            await asyncio.sleep(0.01)
        assert isinstance(telling.exception(), dubbo_mesh.SidecarError)

    asyncio.run(main())
    assert ticks > 20


def test_istios_agent_is_asked_to_exit_first(kind: Kind) -> None:
    # The ports are Istio's: skipped by nobody, so a machine that has something there must not fail it.
    address = dubbo_mesh.Sidecar("127.0.0.1:15000")._address  # pyright: ignore[reportPrivateUsage]
    assert str(address.agent) == "127.0.0.1:15020"
    assert dubbo_mesh.Sidecar("127.0.0.1:9901")._address.agent is None  # pyright: ignore[reportPrivateUsage]


def test_with_a_real_envoy(kind: Kind, tmp_path: Path) -> None:
    with localmesh.ReservedPort() as app:
        envoy = sidecars.Sidecar("pod", ingress=app.address, directory=tmp_path / "pod")
        sidecar = Either(kind, envoy.admin_address)
        with envoy:
            assert sidecar.wait_ready(5) is True
            sidecar.failing()
            assert envoy.admin.status("GET", "/ready") == 503  # Envoy says no,
            assert sidecar.ready() is True  # but it is there and works
            sidecar.healthy()
            assert envoy.admin.status("GET", "/ready") == 200
            sidecar.drain()
            assert envoy.admin.stat("server.live") in (0, 1)
            sidecar.exit()
            localmesh.wait_until(lambda: not envoy.process.running, what="Envoy has exited")
        assert sidecar.ready() is False


def free_port() -> int:
    with localmesh.ReservedPort() as port:
        return port.number
