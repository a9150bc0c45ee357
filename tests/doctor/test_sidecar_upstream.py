"""Clusters that calls cannot be sent to, each beside one that is well, in one Envoy."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from localmesh import wait_until
from tests import sidecars
from tests.doctor.running import ids
from tests.doctor.upstreams import (
    LEAVING,
    NOBODY,
    bad,
    call,
    checks,
    doctor,
    hosts,
    service,
    serving,
    silent,
)
from tests.sidecars.config import typed

_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

UNHEALTHY = "UNAVAILABLE: no healthy upstream"
OVERFLOW = "UNAVAILABLE: upstream connect error or disconnect/reset before headers. reset reason: overflow"
AGGREGATES = {
    "first-empty": ["none", "plain"],
    "all-empty": ["none", "unresolved"],
    "first-http1": ["http1", "plain"],
    "of-itself": ["of-itself"],
}
"""Aggregate clusters, and their members."""

_ON_DEMAND: Any = {
    "name": "envoy.clusters.dynamic_forward_proxy",
    "typed_config": typed(
        "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
        allow_insecure_cluster_options=True,
        dns_cache_config={"name": "names"},
    ),
}

_TLS: Any = {
    "name": "tls",
    "typed_config": typed("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
}
PANIC: Any = {"healthy_panic_threshold": None}
"""Envoy's own threshold, 50 %. The services here have 0 otherwise."""


def http(**over: Any) -> Any:
    return {_HTTP: typed(_HTTP, **over) | {"explicit_http_config": over.get("explicit_http_config")}}


def limits(priority: str = "DEFAULT", **given: int) -> Any:
    return {"thresholds": [{"priority": priority, **given}]}


def services(server: str, web: str, provider: str, directory: Path) -> list[sidecars.MeshService]:
    grpc: Any = {"grpc_health_check": {}}
    once: Any = {"interval": "300s", "no_traffic_interval": "300s"}  # no check after the first one
    eds = {"eds_config": {"path_config_source": {"path": str(directory / "pending.json")}}}
    ejecting = {"consecutive_gateway_failure": 1, "enforcing_consecutive_gateway_failure": 100}
    return [
        service("well", server, health_checks=checks(**grpc)),
        service("plain", server),
        service("none"),
        service("unhealthy", load_assignment=hosts(server, health_status="UNHEALTHY")),
        service("draining", load_assignment=hosts(server, health_status="DRAINING")),
        service("degraded", load_assignment=hosts(server, health_status="DEGRADED")),
        service("no-pending", server, circuit_breakers=limits(max_pending_requests=0)),
        service("no-requests", server, circuit_breakers=limits(max_requests=0)),
        service("no-connections", server, circuit_breakers=limits(max_connections=0)),
        service("no-high", server, circuit_breakers=limits("HIGH", max_requests=0)),
        service(
            "http1",
            server,
            typed_extension_protocol_options=http(
                explicit_http_config={"http2_protocol_options": None, "http_protocol_options": {}}
            ),
        ),
        service("no-options", server, typed_extension_protocol_options=None),
        service(
            "downstream", server, typed_extension_protocol_options=http(use_downstream_protocol_config={})
        ),
        service("old-http2", server, typed_extension_protocol_options=None, http2_protocol_options={}),
        service("failing", server, health_checks=checks(grpc_health_check={"service_name": "nobody"})),
        service("asked-over-http", server, health_checks=checks(http_health_check={"path": "/health"})),
        *_with_a_pipe("bad-authority", provider, {}),
        *_with_a_pipe("good-authority", provider, {"authority": "provider"}),
        service("unresolved", type="STRICT_DNS", load_assignment=hosts("provider.invalid:80")),
        service("half", server, NOBODY, health_checks=checks(**grpc)),
        service("third", server, NOBODY, "127.0.0.1:2", health_checks=checks(**grpc), common_lb_config=PANIC),
        service("panic", NOBODY, health_checks=checks(**grpc), common_lb_config=PANIC),
        service("ejected", NOBODY, outlier_detection=ejecting | {"max_ejection_percent": 100}),
        service("never-ejected", NOBODY, "127.0.0.1:2", outlier_detection=ejecting),
        service("leaving", server, health_checks=checks(**grpc, **once)),
        service("down", NOBODY),
        service("tls", server, transport_socket=_TLS),
        service("web", web),
        *_aggregates(),
        service(
            "on-demand",
            type=None,
            cluster_type=_ON_DEMAND,
            lb_policy="CLUSTER_PROVIDED",
            load_assignment=None,
        ),
        service("several", server, NOBODY),
        service("rarely-checked", server, health_checks=checks(**grpc, no_traffic_interval=None)),
        service(
            "pending",
            type="EDS",
            load_assignment=None,
            eds_cluster_config=eds,
            health_checks=checks(**grpc, timeout="300s"),
            common_lb_config={"ignore_new_hosts_until_first_hc": True},
        ),
    ]


def _aggregates() -> Iterator[sidecars.MeshService]:
    """Services whose clusters consist of other ones."""
    for app, members in AGGREGATES.items():
        aggregate = {"name": "envoy.clusters.aggregate", "typed_config": _aggregate(members)}
        yield service(
            app,
            type=None,
            cluster_type=aggregate,
            lb_policy="CLUSTER_PROVIDED",
            load_assignment=None,
            typed_extension_protocol_options=None,  # those of the members count
        )


def _aggregate(members: list[str]) -> Any:
    return typed("envoy.extensions.clusters.aggregate.v3.ClusterConfig", clusters=members)


def _with_a_pipe(app: str, endpoint: str, check: Any) -> Iterator[sidecars.MeshService]:
    """A service whose cluster is called as Istio calls it. Its provider's Envoy looks at authorities."""
    cluster = f"outbound|50051||{app}"
    yield sidecars.MeshService(
        app,
        50051,
        [endpoint],
        health_check=None,
        route_action={"cluster": cluster},
        cluster={"name": cluster, "health_checks": checks(grpc_health_check=check)},
    )


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


def write_endpoints(directory: Path, endpoints: list[str]) -> None:
    assignment = {**typed("envoy.config.endpoint.v3.ClusterLoadAssignment"), **hosts(*endpoints)}
    written = directory / "written.json"
    written.write_text(json.dumps({"resources": [assignment | {"cluster_name": "pending"}]}))
    written.rename(directory / "pending.json")


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
