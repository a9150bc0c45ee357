"""Kubernetes' probes, and what peers may do to them."""

from __future__ import annotations

import errno
import functools
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import localmesh
from dubbo_mesh._serving.probes import LARGEST_HEAD, MOST_CONNECTIONS, Probes
from tests.own_network import seen_in
from tests.serving.conftest import Running, accepts, probe

Serve = Callable[..., Running]


@pytest.fixture
def answers() -> dict[str, bool]:
    return {"/live": True, "/ready": False}


@pytest.fixture
def probes(answers: dict[str, bool]) -> Iterator[Probes]:
    probes = Probes("127.0.0.1:0", {path: lambda path=path: answers[path] for path in answers})  # type: ignore[misc]
    yield probes
    probes.close()


def connect(probes: Probes) -> socket.socket:
    return socket.create_connection(("127.0.0.1", probes.port), 5)


def test_closing_does_not_mind_that_the_thread_has_ended_already(
    probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks whether it is to end after each connection, too, and may do so before it is woken."""
    inside: Any = probes
    waker, thread = inside._waker, inside._thread

    class Late:
        """Wakes the thread when it has ended."""

        def send(self, data: bytes) -> int:
            with connect(probes):
                thread.join(10)
            return int(waker.send(data))

        def close(self) -> None:
            waker.close()

    monkeypatch.setattr(inside, "_waker", Late())
    probes.close()
    assert not thread.is_alive()


def exchange(probes: Probes, sent: bytes) -> bytes:
    """Sends, says that this was all, and receives all that comes."""
    with connect(probes) as peer:
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)
        return received(peer)


def received(peer: socket.socket) -> bytes:
    parts: list[bytes] = []
    try:
        while part := peer.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def statuses(answer: bytes) -> list[int]:
    return [
        int(line[9:12])
        for line in answer.split(b"\r\n")
        if b"HTTP/1.1 " in line
        for line in [line[line.index(b"HTTP/1.1 ") :]]
    ]


def test_they_answer_as_dubbos_do(probes: Probes, answers: dict[str, bool]) -> None:
    assert probe(probes.port, "/live") == (200, "true")
    assert probe(probes.port, "/ready") == (503, "false")
    answers["/ready"] = True
    assert probe(probes.port, "/ready?verbose") == (200, "true")


@pytest.mark.parametrize("path", ["/", "/metrics", "/live/", "/LIVE", "//live", "/%6cive", "/live/../ready"])
def test_no_other_path_answers(probes: Probes, path: str) -> None:
    assert probe(probes.port, path)[0] == 404


def test_nothing_but_looking_is_allowed(probes: Probes) -> None:
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert probe(probes.port, "/live", method) == (405, "only GET")
    assert probe(probes.port, "/live", "HEAD") == (200, "")


def test_a_probe_that_fails_to_answer_is_false(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bool:
        raise RuntimeError("broken")

    probes = Probes("127.0.0.1:0", {"/live": broken})
    assert probe(probes.port, "/live") == (503, "false")
    assert "probe /live could not be answered" in caplog.text
    probes.close()


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n", [200]),
        (b"GET /live HTTP/1.0\r\n\r\n", [200]),
        (b"GET /live HTTP/1.1\n\n", [200]),
        (b"\r\n\r\nGET /live HTTP/1.1\r\n\r\n", [200]),
        (b"GET /live HTTP/1.1\r\n\r\nGET /ready HTTP/1.1\r\n\r\nGET /no HTTP/1.1\r\n\r\n", [200, 503, 404]),
        (b"GET /live HTTP/1.1\r\nConnection: close\r\n\r\nGET /live HTTP/1.1\r\n\r\n", [200]),
        (b"GET /live HTTP/1.1\r\n\r\n" * 100, [200] * 100),
        (b"", []),
        (b"GET /live HTTP/1.1\r\nHost", []),
        (b"GET /live HTTP/2.0\r\n\r\n", [400]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
        (b"get /live http/1.1\r\n\r\n", [400]),
        (b"GET  /live  HTTP/1.1\r\n\r\n", [400]),
        (b"GET http://x/live HTTP/1.1\r\n\r\n", [400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", [400]),
        (b"GET /live HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", [413]),
        (b"GET /live HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [413]),
        (b"GET /live HTTP/1.1\r\nContent-Length: 0\r\n\r\n", [200]),
        (b"GET /live HTTP/1.1\r\nX: " + b"x" * LARGEST_HEAD, [431]),
        (b"GET /" + b"x" * (1 << 20), [431]),
    ],
)
def test_whatever_comes_is_answered_or_refused(probes: Probes, sent: bytes, answered: list[int]) -> None:
    try:
        answer = exchange(probes, sent)
    except OSError:
        answer = b""
        assert len(sent) > LARGEST_HEAD  # refused before all was sent
    if answer or len(sent) <= LARGEST_HEAD:
        assert statuses(answer) == answered
    assert probe(probes.port, "/live") == (200, "true")


def test_a_connection_is_kept_for_the_next_probe(probes: Probes) -> None:
    with connect(probes) as peer:
        for _ in range(3):
            peer.sendall(b"GET /live HTTP/1.1\r\n\r\n")
            assert peer.recv(4096).startswith(b"HTTP/1.1 200 OK")


def test_slow_peers_hold_up_nobody_and_are_dropped(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dubbo_mesh._serving.probes.PATIENCE", 0.5)
    slow = [connect(probes) for _ in range(MOST_CONNECTIONS // 2)]
    over = threading.Event()

    def trickle() -> None:
        while not over.wait(0.05):
            for peer in slow:
                try:
                    peer.sendall(b"G")
                except OSError:
                    continue

    thread = threading.Thread(target=trickle)
    thread.start()
    for _ in range(20):
        assert probe(probes.port, "/live") == (200, "true")
    localmesh.wait_until(lambda: not connections(probes), what="the slow ones are dropped")
    over.set()
    thread.join()
    for peer in slow:
        peer.close()


def test_the_oldest_makes_room(probes: Probes) -> None:
    idle = [connect(probes) for _ in range(MOST_CONNECTIONS * 3)]
    assert probe(probes.port, "/live") == (200, "true")
    assert len(connections(probes)) <= MOST_CONNECTIONS
    for peer in idle:
        peer.close()


def test_one_that_makes_room_may_have_something_to_say(answers: dict[str, bool]) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def busy() -> bool:
        asked.set()
        return go_on.wait(5)

    probes = Probes("127.0.0.1:0", {"/busy": busy, "/live": lambda: True})
    idle = [connect(probes) for _ in range(MOST_CONNECTIONS - 1)]
    localmesh.wait_until(lambda: len(connections(probes)) == len(idle), what="they are accepted")
    with connect(probes) as peer:
        peer.sendall(b"GET /busy HTTP/1.1\r\n\r\n")
        assert asked.wait(5)
        idle += [connect(probes) for _ in range(MOST_CONNECTIONS)]  # in the same moment
        for each in idle:
            each.sendall(b"G")
        go_on.set()
        assert probe(probes.port, "/live") == (200, "true")
    for each in idle:
        each.close()
    probes.close()


def test_a_peer_that_never_reads_holds_nothing_for_long(
    probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dubbo_mesh._serving.probes.PATIENCE", 0.5)
    with connect(probes) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(0.2)
        sent = 0
        try:
            for _ in range(10_000):
                sent += peer.send(b"GET /live HTTP/1.1\r\n\r\n" * 100)
        except OSError:
            pass
        assert sent < 50 << 20
        assert probe(probes.port, "/live") == (200, "true")
        localmesh.wait_until(lambda: not connections(probes), what="it is dropped", timeout=5)


def test_nothing_is_left_behind(probes: Probes) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = descriptors()
    for _ in range(300):
        exchange(probes, b"GET /live HTTP/1.1\r\n\r\n")
        connect(probes).close()
    localmesh.wait_until(lambda: not connections(probes), what="all are closed")
    assert descriptors() <= before + 2


def test_closing_ends_the_thread(answers: dict[str, bool]) -> None:
    before = threading.active_count()
    probes = Probes("127.0.0.1:0", {})
    port = probes.port
    with connect(probes):
        probes.close()
        probes.close()
    assert threading.active_count() == before
    with pytest.raises(OSError):  # noqa: PT011 - the kernel's words
        socket.create_connection(("127.0.0.1", port), 1)


def connections(probes: Probes) -> Any:
    return probes._connections  # pyright: ignore[reportPrivateUsage]


# As part of a server.


def test_a_servers_probes_follow_its_life(make: Serve) -> None:
    seen: dict[str, tuple[tuple[int, str], ...]] = {}
    running: Running

    def look(when: str, _server: object = None) -> None:
        seen[when] = tuple(running.probe(path) for path in ("/live", "/ready", "/startup"))

    running = make(
        probes="127.0.0.1:0",
        drain=2,
        quiet=0.3,
        on_start=functools.partial(look, "start"),
        on_drain=functools.partial(look, "drain"),
    )
    running.start()
    look("running")
    running.call("set_serving", "", False)
    look("taken out")
    running.call("set_serving", "", True)
    running.drain()
    yes, no = (200, "true"), (503, "false")
    assert seen == {
        "start": (yes, no, no),
        "running": (yes, yes, yes),
        "taken out": (yes, no, yes),
        "drain": (yes, no, yes),
    }
    assert not accepts(running.server.probes_port)


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_a_pod_without_ipv4_is_ready_and_serves(kind: str) -> None:
    assert seen_in("tests.serving.ipv6_only", kind) == {
        "IPv4": "OSError",
        "service": "echo",
        "health": "SERVING",
        "probes": "true",
    }


def test_all_addresses_are_ipv4_too() -> None:
    probes = Probes("[::]:0", {"/live": lambda: True})
    assert probe(probes.port, "/live") == (200, "true")
    probes.close()


def test_all_addresses_are_those_of_ipv4_where_the_kernel_has_no_ipv6(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = socket.socket.__init__

    def refuse_ipv6(self: socket.socket, family: int = -1, *arguments: Any, **keywords: Any) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        make(self, family, *arguments, **keywords)

    monkeypatch.setattr(socket.socket, "__init__", refuse_ipv6)
    probes = Probes("[::]:0", {"/live": lambda: True})
    assert probe(probes.port, "/live") == (200, "true")
    probes.close()


def test_probes_nobody_asked_for_give_way(
    make: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setattr("dubbo_mesh._addressing.environment.DEFAULT_PROBES", address)
        running = make(probes=None).start()
        assert running.server.probes_port is None
        assert f"cannot listen on {address} for Kubernetes probes" in caplog.text


def test_probes_that_were_asked_for_are_a_must(make: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            OSError, match=f"cannot listen on {address} for Kubernetes probes.*DUBBO_MESH_PROBES"
        ):
            make(probes=address).start()
        monkeypatch.setenv("DUBBO_MESH_PROBES", address)
        with pytest.raises(OSError, match="DUBBO_MESH_PROBES"):
            make(probes=None).start()
        monkeypatch.setenv("DUBBO_MESH_PROBES", "off")
        assert make(probes=None).start().server.probes_port is None
