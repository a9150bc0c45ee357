"""Clusters that calls cannot be sent to, each beside one that is well, in one Envoy."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

import pytest

from dubbo_mesh._doctor.envoy.connection import Connection
from localmesh import wait_until
from tests import sidecars
from tests.doctor.faulty_clusters import services, write_endpoints
from tests.doctor.running import ids
from tests.doctor.upstreams import LEAVING, NOBODY, bad, call, doctor, serving, silent

UNHEALTHY = "UNAVAILABLE: no healthy upstream"
OVERFLOW = "UNAVAILABLE: upstream connect error or disconnect/reset before headers. reset reason: overflow"


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sidecars.Sidecar]:
    directory = tmp_path_factory.mktemp("eds")
    with (
        serving() as server,
        silent() as hanging,
        speaking_http1() as web,
        sidecars.Sidecar("provider", ingress=server) as provider,
    ):
        write_endpoints(directory, [])
        every = services(server, f"127.0.0.1:{web.server_port}", provider.ingress, directory)
        with sidecars.Sidecar("consumer", egress=every) as started:
            write_endpoints(directory, [hanging])
            wait_until(lambda: started.admin.hosts("pending"), what="the new host is there")
            wait_until(lambda: len(started.admin.hosts("third")) == 3, what="all are checked")
            yield started


@contextmanager
def speaking_http1() -> Generator[HTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as web:
        Thread(target=web.serve_forever, daemon=True).start()
        yield web
        web.shutdown()


class Fault(NamedTuple):
    """A service that has a fault.

    Attributes:
        app: its name.
        seen: a part of what the doctor says.
        called: how a call to it ends.
        twin: a service without the fault.
    """

    app: str
    seen: str
    called: str
    twin: str = "well"


@pytest.mark.parametrize(
    ("id", "fault"),
    [
        pytest.param(
            "DM210", Fault("none", "cluster none has no hosts", UNHEALTHY), marks=pytest.mark.finds("DM210")
        ),
        pytest.param(
            "DM211",
            Fault("http1", "cluster http1 speaks HTTP/1.1", "UNAVAILABLE: upstream connect error"),
            marks=pytest.mark.finds("DM211"),
        ),
        ("DM211", Fault("no-options", "speaks HTTP/1.1", "UNAVAILABLE: upstream connect error", "old-http2")),
        pytest.param(
            "DM212",
            Fault("failing", "(fails active health checks)", UNHEALTHY),
            marks=pytest.mark.finds("DM212"),
        ),
        pytest.param(
            "DM214",
            Fault("unhealthy", "the control plane says that it is unhealthy", UNHEALTHY, "degraded"),
            marks=pytest.mark.finds("DM214"),
        ),
        ("DM214", Fault("draining", "the control plane says that it is draining", UNHEALTHY, "degraded")),
        pytest.param(
            "DM216",
            Fault("pending", "its first health check is not over", UNHEALTHY),
            marks=pytest.mark.finds("DM216"),
        ),
        pytest.param(
            "DM224",
            Fault("no-requests", "max_requests of cluster no-requests is 0", OVERFLOW, "no-high"),
            marks=pytest.mark.finds("DM224"),
        ),
        ("DM224", Fault("no-pending", "max_pending_requests", OVERFLOW, "no-connections")),
        pytest.param(
            "DM225",
            Fault("unresolved", "has no address of provider.invalid", UNHEALTHY),
            marks=pytest.mark.finds("DM225"),
        ),
        pytest.param(
            "DM227",
            Fault("asked-over-http", "is asked over HTTP, GET /health", UNHEALTHY),
            marks=pytest.mark.finds("DM227"),
        ),
        pytest.param(
            "DM228",
            Fault("bad-authority", "have its name as their :authority", UNHEALTHY, "good-authority"),
            marks=pytest.mark.finds("DM228"),
        ),
        pytest.param(
            "DM248",
            Fault("down", f"nothing listens at {NOBODY}", "UNAVAILABLE: upstream connect error", "plain"),
            marks=pytest.mark.finds("DM248"),
        ),
        pytest.param(
            "DM249",
            Fault(
                "tls",
                "speaks clear text, and the cluster TLS",
                "UNAVAILABLE: upstream connect error",
                "plain",
            ),
            marks=pytest.mark.finds("DM249"),
        ),
        (
            "DM249",
            Fault("web", "does not speak HTTP/2: it says", "UNAVAILABLE: upstream connect error", "plain"),
        ),
        ("DM210", Fault("all-empty", "cluster none has no hosts", UNHEALTHY, "first-empty")),
        (
            "DM211",
            Fault("first-http1", "http1 speaks HTTP/1.1", "UNAVAILABLE: upstream connect", "first-empty"),
        ),
    ],
)
def test_calls_fail_as_the_doctor_says(consumer: sidecars.Sidecar, id: str, fault: Fault) -> None:
    findings = doctor(consumer, fault.app)
    assert any(each.id == id and fault.seen in each.finding for each in findings), findings
    assert call(consumer.egress, fault.app).startswith(fault.called)

    assert bad(doctor(consumer, fault.twin)) == set()
    assert call(consumer.egress, fault.twin) == "OK"


@pytest.mark.parametrize("app", ["plain", "downstream", "no-connections", "old-http2", "degraded"])
def test_what_is_unusual_is_no_fault(consumer: sidecars.Sidecar, app: str) -> None:
    assert bad(doctor(consumer, app)) == set()
    assert call(consumer.egress, app) == "OK"


@pytest.mark.finds("DM217")
def test_some_hosts_are_down(consumer: sidecars.Sidecar) -> None:
    findings = doctor(consumer, "half")
    [found] = [each for each in findings if each.id == "DM217"]
    assert "1 of 2 hosts" in found.finding
    assert NOBODY in found.finding
    assert bad(findings) == set()
    assert {call(consumer.egress, "half") for _ in range(4)} == {"OK"}
    assert "DM217" not in ids(doctor(consumer, "well"))


@pytest.mark.finds("DM218")
@pytest.mark.parametrize(("app", "some"), [("third", True), ("panic", False)])
def test_calls_go_to_unhealthy_hosts(consumer: sidecars.Sidecar, app: str, some: bool) -> None:
    assert bad(doctor(consumer, app)) == {"DM218"}
    called = {call(consumer.egress, app) for _ in range(9)}
    assert any(each.startswith("UNAVAILABLE: upstream connect error") for each in called)
    assert ("OK" in called) == some
    assert "DM218" not in ids(doctor(consumer, "half"))


@pytest.mark.finds("DM213")
@pytest.mark.finds("DM230")
def test_outliers(consumer: sidecars.Sidecar) -> None:
    for app in ("ejected", "never-ejected"):
        assert call(consumer.egress, app).startswith("UNAVAILABLE: upstream connect error")
    wait_until(lambda: "DM213" in ids(doctor(consumer, "ejected")), what="the host is ejected")
    assert call(consumer.egress, "ejected") == UNHEALTHY
    assert "DM230" not in ids(doctor(consumer, "ejected"))

    found = ids(doctor(consumer, "never-ejected"))
    assert "DM230" in found
    assert "DM213" not in found
    assert call(consumer.egress, "never-ejected").startswith("UNAVAILABLE: upstream connect error")


@pytest.mark.finds("DM215")
def test_a_provider_that_goes_down(consumer: sidecars.Sidecar) -> None:
    assert bad(doctor(consumer, "leaving")) == set()
    assert call(consumer.egress, "leaving", LEAVING) == "OK"
    wait_until(lambda: "DM215" in ids(doctor(consumer, "leaving")), what="Envoy knows that it goes down")
    assert call(consumer.egress, "leaving") == UNHEALTHY


@pytest.mark.finds("DM241")
def test_connections_that_always_fail(consumer: sidecars.Sidecar) -> None:
    assert "DM241" not in ids(doctor(consumer, "several"))  # nobody has tried yet
    called = {call(consumer.egress, "several") for _ in range(4)}
    assert any(each.startswith("UNAVAILABLE: upstream connect error") for each in called)
    [found] = [each for each in doctor(consumer, "several") if each.id == "DM241"]
    assert NOBODY in found.finding
    assert call(consumer.egress, "plain") == "OK"
    assert "DM241" not in ids(doctor(consumer, "plain"))


@pytest.mark.parametrize("app", ["of-itself", "on-demand"])
def test_hosts_that_cannot_be_known(consumer: sidecars.Sidecar, app: str) -> None:
    [found] = [each for each in doctor(consumer, app) if each.check == "upstream"]
    assert found.status == "skipped"
    assert f"which hosts cluster {app} has" in found.finding


@pytest.mark.parametrize(
    ("host", "source", "here"),
    [
        ("127.0.0.2", "127.0.0.1", True),
        ("::1", "::1", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.2", "10.0.0.1", False),
        (None, None, False),
    ],
)
def test_hosts_are_tried_only_beside_the_sidecar(host: str | None, source: str | None, here: bool) -> None:
    """Elsewhere 127.0.0.1, or a name, may be another host."""
    assert Connection(host, 1, source).stays_here is here


@pytest.mark.finds("DM226")
@pytest.mark.finds("DM229")
def test_hosts_that_are_down_are_not_noticed(consumer: sidecars.Sidecar) -> None:
    assert "DM229" in ids(doctor(consumer, "several"))
    assert bad(doctor(consumer, "rarely-checked")) == {"DM226"}
    assert ids(doctor(consumer, "well")) & {"DM226", "DM229"} == set()


def test_all_is_well(consumer: sidecars.Sidecar) -> None:
    [found] = [each for each in doctor(consumer, "well") if each.check == "upstream"]
    assert found.finding == (
        "well:50051: cluster well has 1 healthy host, HTTP/2, gRPC health checks every 0.1 s, "
        "at most 1024 requests at a time, 1 s to connect"
    )
