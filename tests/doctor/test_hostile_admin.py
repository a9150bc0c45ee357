"""Whatever answers at the admin endpoint's address: one line, in time, and nothing but GETs."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from concurrent import futures
from typing import Any
from unittest.mock import patch

import grpc
import pytest

from dubbo_mesh._doctor.sidecar import asking, parsing
from localmesh import ReservedPort
from tests import sidecars
from tests.doctor.hostile import (
    INFO,
    Behaviour,
    answering,
    asked,
    dripping,
    response,
    sending,
    sending_for_ever,
)
from tests.doctor.running import examined, ids, run
from tests.doctor.upstreams import silent
from tests.sidecars.config import http_listener

DEEP = b"[" * 1_000_000
HEADERS = b"HTTP/1.1 200 OK\r\nserver: envoy\r\n\r\n"

DUMP: Any = {"configs": []}
AN_ENVOY: dict[str, Any] = {"/server_info": INFO, "/config_dump": DUMP, "/clusters": {}, "/stats": {}}

STRANGERS: dict[str, Behaviour] = {
    "closes": sending(),
    "HTTP/0.9": sending(b"hello\n"),
    "no status": sending(b"HTTP/1.1 OK\r\n\r\n"),
    "a status of letters": sending(b"HTTP/1.1 abc no\r\n\r\n"),
    "SSH": sending(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "half a header": sending(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "ends early": sending(response(b"{}", "content-length: 2000")),
    "a negative length": sending(response(b"{}", "content-length: -5")),
    "a length of letters": sending(response(b"{}", "content-length: many")),
    "chunks that end early": sending(response(b"ffff\r\n{}", "transfer-encoding: chunked")),
    "chunks without sizes": sending(response(b"zz\r\n{}\r\n", "transfer-encoding: chunked")),
    "negative chunks": sending(response(b"-5\r\n{}\r\n", "transfer-encoding: chunked")),
    "many headers": sending(response(b"{}", *(f"h{number}: v" for number in range(5000)))),
    "a long header": sending(response(b"{}", "h: " + "v" * 100_000)),
    "a redirect": sending(response(b"", "location: http://127.0.0.1:1/", status="302 Found")),
    "not found": sending(response(b"not here", status="404 Not Found")),
    "an early hint": sending(response(b"", status="103 Early Hints")),
    "a page": sending(response(b"<html><body>Hello</body></html>", "content-type: text/html")),
    "nothing": sending(response(b"")),
    "deep JSON": sending(response(DEEP)),
    "half of JSON": sending(response(b'{"state": "LI')),
    "not UTF-8": sending(response(b'{"state": "\xff\xfe"}')),
    "other JSON": sending(response(b'{"status": "UP"}')),
    "a number": sending(response(b"1e999")),
    "a long number": sending(response(b"1" * 100_000)),
    "a state that is no text": sending(response(b'{"state": {"a": 1}, "version": ["x"]}')),
}


@pytest.mark.finds("DM202")
@pytest.mark.parametrize("name", STRANGERS)
def test_what_is_not_an_envoy(name: str) -> None:
    with asked(STRANGERS[name]) as peer:
        findings = examined(variables={"DUBBO_MESH_ADMIN": peer.address})
        [found] = [each for each in findings if each.status == "failed"]
        assert found.id == "DM202", found
        assert found.finding.startswith(f"{peer.address}: ")
        assert peer.requests == ["GET /server_info HTTP/1.1"]


@pytest.mark.finds("DM236")
def test_what_is_not_an_envoy_at_the_default_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with asked(STRANGERS["a page"]) as peer:
        monkeypatch.setattr("dubbo_mesh._addressing.environment.DEFAULT_ADMIN", peer.address)
        findings = examined()
        assert {each.id for each in findings if each.status in ("failed", "warning")} == {"DM236"}
    with sidecars.Sidecar("well") as well:
        monkeypatch.setattr("dubbo_mesh._addressing.environment.DEFAULT_ADMIN", well.admin_address)
        assert ids(examined()) & {"DM201", "DM202", "DM235", "DM236", "DM237"} == set()


SLOW: dict[str, Behaviour] = {
    "drips": dripping(HEADERS + b"{"),
    "drips headers": dripping(b"HTTP/1.1 200 OK\r\nserver: ", b"e"),
    "drips before the status": dripping(b"", b"\r\n"),
    "goes on for ever": sending_for_ever(b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    "drips 100 Continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "drips chunks": dripping(response(b"", "transfer-encoding: chunked"), b"1\r\n \r\n"),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_never_ends_is_late(name: str) -> None:
    with asked(SLOW[name]) as peer:
        findings = examined(variables={"DUBBO_MESH_ADMIN": peer.address}, timeout=0.5)
    [found] = [each for each in findings if each.status == "failed"]
    assert found.id in ("DM237", "DM202")
    assert peer.address in found.finding


@pytest.mark.finds("DM237")
def test_what_never_answers_is_late() -> None:
    with silent() as address:
        findings = examined(variables={"DUBBO_MESH_ADMIN": address}, timeout=0.5)
    [found] = [each for each in findings if each.status == "failed"]
    assert found.id == "DM237"
    with sidecars.Sidecar("well") as well:
        assert "DM237" not in ids(examined(variables={"DUBBO_MESH_ADMIN": well.admin_address}))


@pytest.mark.parametrize(
    "flood",
    [
        sending_for_ever(HEADERS, b" " * 100_000),
        sending_for_ever(response(b"", "transfer-encoding: chunked"), b"10000\r\n" + b" " * 65536 + b"\r\n"),
    ],
    ids=["to the end", "in chunks"],
)
def test_floods_are_bounded(monkeypatch: pytest.MonkeyPatch, flood: Behaviour) -> None:
    monkeypatch.setattr(asking, "LARGEST", 1 << 20)
    with asked(answering({"/server_info": INFO}, flood)) as peer:
        findings = examined(variables={"DUBBO_MESH_ADMIN": peer.address})
    [found] = [each for each in findings if each.status == "failed"]
    assert found.id == "DM237"
    assert "more than 1,048,576 bytes" in found.finding


@pytest.mark.parametrize("path", ["/server_info", "/stats"])
def test_floods_of_what_is_short_are_bounded(path: str) -> None:
    others = {known: answer for known, answer in AN_ENVOY.items() if known != path}
    with asked(answering(others, sending_for_ever(HEADERS, b"a: 1\n" * 10_000))) as peer:
        findings = examined(variables={"DUBBO_MESH_ADMIN": peer.address})
    failed = [each for each in findings if each.status == "failed"]
    assert [each.id for each in failed] == (["DM237"] if path == "/server_info" else [])
    assert all("more than 4,194,304 bytes" in each.finding for each in failed)


def test_floods_of_values_are_bounded() -> None:
    """A few bytes of text for each would be many bytes of memory."""
    flood = sending(response(b"[" + b"[]," * parsing.MOST_VALUES + b"1]"))
    with asked(answering({"/server_info": INFO}, flood)) as peer:
        findings = examined(variables={"DUBBO_MESH_ADMIN": peer.address})
    [found] = [each for each in findings if each.status == "failed"]
    assert f"more than {parsing.MOST_VALUES:,} values" in found.finding


@pytest.mark.parametrize("path", ["headers", "continues"])
def test_floods_of_headers_are_bounded(path: str) -> None:
    floods = {
        "headers": sending_for_ever(b"HTTP/1.1 200 OK\r\n", b"h: v\r\n"),
        "continues": sending_for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    }
    with asked(floods[path]) as peer:
        findings = examined(variables={"DUBBO_MESH_ADMIN": peer.address})
    [found] = [each for each in findings if each.status == "failed"]
    assert found.id in ("DM202", "DM237")


@pytest.mark.parametrize(
    "late",
    [
        sending(response(DEEP)),
        sending(response(b'{"configs": [', "content-length: 200")),
        sending(response(b'{"configs": [')),
        sending(response(b"[]")),
        sending(response(gzip.compress(b'{"configs": []}'), "content-encoding: gzip")),
        sending(b"HTTP/1.1 200 OK\r\n\r\n"),
        dripping(HEADERS + b"{"),
    ],
    ids=["deep", "short", "half", "a list", "gzip", "empty", "drips"],
)
def test_an_envoy_whose_configuration_is_broken(late: Behaviour) -> None:
    with asked(answering({"/server_info": INFO}, late)) as peer:
        findings = examined(variables={"DUBBO_MESH_ADMIN": peer.address}, timeout=0.7)
    [found] = [each for each in findings if each.status == "failed"]
    assert found.id in ("DM237", "DM202")
    assert found.finding.startswith(f"{peer.address}")


@pytest.mark.finds("DM238")
def test_an_envoy_that_does_not_show_its_configuration() -> None:
    with asked(answering({"/server_info": INFO})) as peer:
        [found] = [
            each for each in examined(variables={"DUBBO_MESH_ADMIN": peer.address}) if each.status == "failed"
        ]
        assert found.id == "DM238"
        assert "/config_dump: HTTP status 404" in found.finding
    hiding = sidecars.StaticEnvoy("hiding")
    configuration: Any = hiding.configuration
    configuration["admin"]["allow_paths"] = [{"exact": "/ready"}]
    with hiding:
        findings = examined(variables={"DUBBO_MESH_ADMIN": hiding.admin_address})
    assert {each.id for each in findings if each.status == "failed"} == {"DM238"}
    with asked(answering(AN_ENVOY)) as peer:
        assert "DM238" not in ids(examined(variables={"DUBBO_MESH_ADMIN": peer.address}))


@pytest.mark.finds("DM202")
def test_a_listener_of_an_envoy() -> None:
    listener = http_listener("listener", "127.0.0.1:0", [])
    with sidecars.StaticEnvoy("swapped", [listener]) as swapped:
        variables = {"DUBBO_MESH_ADMIN": swapped.admin.listeners()["listener"]}
        assert ids(examined(variables=variables)) == {"DM202"}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_envoy_is_only_looked_at(host: str) -> None:
    with asked(answering(AN_ENVOY), host) as peer:
        findings = examined("echo:1", variables={"DUBBO_MESH_ADMIN": peer.address, "CLUSTER_DOMAIN": "x"})
        assert any(each.check == "admin" and each.status == "ok" for each in findings), findings
    assert {each.split(" ")[0] for each in peer.requests} == {"GET"}
    paths = {each.split(" ")[1].partition("?")[0] for each in peer.requests}
    assert paths == {"/server_info", "/config_dump", "/clusters", "/stats"}


@pytest.mark.finds("DM201")
def test_nobody_listens() -> None:
    with ReservedPort() as nobody:
        findings = examined(variables={"DUBBO_MESH_ADMIN": nobody.address})
        assert "DM201" in ids(findings)
        assert "DM201" in ids(examined(variables={"DUBBO_MESH_ADMIN": "nobody.invalid:15000"}))
    with asked(answering(AN_ENVOY)) as peer:
        assert "DM201" not in ids(examined(variables={"DUBBO_MESH_ADMIN": peer.address}))


@pytest.mark.finds("DM235")
def test_no_sidecar_is_no_failure_where_none_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    with ReservedPort() as nobody:
        monkeypatch.setattr("dubbo_mesh._addressing.environment.DEFAULT_ADMIN", nobody.address)
        findings = examined()
        assert "DM235" in ids(findings)
        assert [each for each in findings if each.status in ("failed", "warning")] == []
        # DUBBO_MESH_EGRESS is a sign of a sidecar.
        assert "DM201" in ids(examined(variables={"DUBBO_MESH_EGRESS": nobody.address}))
        # Other modes have no use for one.
        assert ids(examined(variables={"DUBBO_MESH_MODE": "direct"})) & {"DM201", "DM235"} == set()


def test_a_resolver_that_hangs() -> None:
    def hang(*_: Any, **__: Any) -> Any:
        threading.Event().wait(5)
        return []

    with patch("dubbo_mesh._doctor.sidecar.asking.socket.getaddrinfo", hang):
        findings = examined(variables={"DUBBO_MESH_ADMIN": "slow.example:15000"}, timeout=0.3)
    [found] = [each for each in findings if each.status == "failed"]
    assert found.id == "DM237"
    assert "slow.example could not be resolved in time" in found.finding


def test_a_port_for_grpc() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        findings = examined(variables={"DUBBO_MESH_ADMIN": f"127.0.0.1:{port}"})
    finally:
        server.stop(None).wait()
    assert {each.id for each in findings if each.status == "failed"} == {"DM202"}


def test_a_port_for_https() -> None:
    def alert(connection: socket.socket, _path: str) -> None:
        connection.sendall(b"\x15\x03\x01\x00\x02\x02\x16")  # what servers say to those who do not speak TLS

    with asked(alert) as peer:
        findings = examined(variables={"DUBBO_MESH_ADMIN": peer.address})
    assert {each.id for each in findings if each.status == "failed"} == {"DM202"}


def test_what_a_peer_says_is_made_printable() -> None:
    said = {**INFO, "state": "\x1b[31mLIVE\u202e\ud800\n" + "x" * 10_000}
    with asked(answering({**AN_ENVOY, "/server_info": said})) as peer:
        status, findings = run(variables={"DUBBO_MESH_ADMIN": peer.address})
        assert status == 1
        [found] = [each for each in findings if each["id"] == "DM203"]
        assert len(found["finding"]) < 1000
        assert json.loads(json.dumps(findings)) == findings
