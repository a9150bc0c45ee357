"""Public reports of timeouts and retries that do not work on Istio: the doctor names the cause of each.

Run by `make istio`. Each has the configuration of the report in few words, the call that disappoints, and the
remedy. tests/doctor/test_public_reports.py has those that are about Envoy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.doctor.running import ids
from tests.istio import cluster, resources
from tests.istio.cluster import Pod
from tests.istio.conftest import Emit
from tests.istio.emitting import Emitted
from tests.istio.faults import OFF, Fault, exact, service, unavailable, without_retries
from tests.istio.many_apps import ManyApps

_UNFILTERED = Pod("unfiltered", "127.0.20.2", {"app": "unfiltered"})
_LIMITED = Pod("limited", "127.0.20.3", {"app": "limited"})
_TWICE = {"retryOn": "unavailable", "attempts": 2}

REPORTS = {
    # The VirtualService is for a gateway: sidecars do not see it, nor that it switches retries off.
    "38180": Fault(
        "DM325",
        "report-38180",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, OFF, gateways=["istio-system/ingress-gateway"]),
        ],
        lambda called: called.runs == 3,
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, OFF, gateways=["istio-system/ingress-gateway", "mesh"]),
        ],
        call={"failures": 9},
    ),
    # Nobody has asked for retries, and Istio retries what must not run twice.
    "13851": Fault(
        "DM325",
        "report-13851",
        lambda app, port: [resources.service(app, port)],
        lambda called: called.runs == 3,
        call={"failures": 9},
    ),
    # Attempts that take too long end the call, instead of being followed by another one. The pod, which is
    # told the time that it has, may be the first to end them.
    "17613": Fault(
        "DM320",
        "report-17613",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {"retries": {**_TWICE, "perTryTimeout": "0.2s"}}),
        ],
        lambda called: called.runs == 1,
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(
                app,
                {"retries": {**_TWICE, "perTryTimeout": "0.2s", "retryOn": "reset,deadline-exceeded"}},
            ),
        ],
        rpc="look",
        call={"request": "hold"},
    ),
    # 5xx are HTTP statuses, and gRPC's errors are none.
    "16327": Fault(
        "DM322",
        "report-16327",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {"retries": {"attempts": 2, "retryOn": "5xx"}}),
        ],
        lambda called: called.runs == 1,
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {"retries": _TWICE}),
        ],
        call={"failures": 9},
    ),
    # The timeout of the VirtualService cuts a stream.
    "1667": Fault(
        "DM306",
        "report-1667",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {**OFF, "timeout": "0.3s"}),
        ],
        lambda called: called.code is not grpc.StatusCode.OK,
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {**exact("hello"), **OFF, "timeout": "0.3s"}, OFF),
        ],
        rpc="watch",
        call={"timeout": None},
    ),
    # The port is called http, so that the sidecar speaks HTTP/1.1.
    "9926": Fault(
        "DM211",
        "report-9926",
        lambda app, port: [
            resources.service(app, port, port_name="http"),
            resources.virtual_service(app, OFF),
        ],
        unavailable("protocol error"),
    ),
    # The DestinationRule is in a namespace where it does not count, and with it the subset.
    "15425": Fault(
        "DM209",
        "report-15425",
        lambda app, port: _subset_of(app, port, "shop"),
        unavailable(),
        lambda app, port: _subset_of(app, port, cluster.NAMESPACE),
    ),
}


def _subset_of(app: str, port: int, namespace: str) -> list[cluster.Manifest]:
    host = f"{app}.default.svc.cluster.local"
    return [
        resources.service(app, port),
        resources.virtual_service(app, {**OFF, "route": [{"destination": {"host": app, "subset": "v1"}}]}),
        resources.destination_rule(
            host, subsets=[{"name": "v1", "labels": {"version": "v1"}}], namespace=namespace
        ),
    ]


@pytest.fixture(scope="module")
def mesh(emit: Emit, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManyApps]:
    known = "./greeter.default.svc.cluster.local"
    everything = [
        *without_retries("greeter", port),
        *service("hidden", port),
        resources.service("slow", port),
        resources.virtual_service("slow", {**OFF, "timeout": "0.2s"}),
        *(each for report in REPORTS.values() for each in report.manifests(port)),
        resources.internal_addresses("consumer", cluster.CONSUMER.labels, "10.0.0.0/8"),
        resources.sidecar("unfiltered", _UNFILTERED.labels, ["./*"], _UNFILTERED.address, port),
        resources.sidecar("limited", _LIMITED.labels, [known], _LIMITED.address, port),
    ]
    with ManyApps(
        emit("emit=python+kubernetes+istio"),
        everything,
        port,
        tmp_path_factory.mktemp("reports"),
        consumers=[cluster.CONSUMER, _UNFILTERED, _LIMITED],
    ) as started:
        yield started
        assert started.rejections() == []


@pytest.fixture
def unasked(routes: Emitted) -> dict[str, Any]:
    """Arguments for stubs that ask for nothing, as most of the reporters' do."""
    return {"stubs": routes}


@pytest.mark.finds("DM209")
@pytest.mark.finds("DM211")
@pytest.mark.finds("DM306")
@pytest.mark.finds("DM320")
@pytest.mark.finds("DM322")
@pytest.mark.finds("DM325")
@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
class TestIssueOfIstio:
    """github.com/istio/istio/issues/…, for what routes and clusters are configured."""

    def test_the_cause_is_named(self, mesh: ManyApps, unasked: Any, report: Fault) -> None:
        assert report.id in ids(mesh.doctor(report.app, **unasked))
        assert report.shows(mesh.call(report.app, report.rpc, **report.call, **unasked))

    def test_the_remedy_helps(self, mesh: ManyApps, unasked: Any, report: Fault) -> None:
        assert report.id not in ids(mesh.doctor(report.mended, **unasked))
        assert not report.shows(mesh.call(report.mended, report.rpc, **report.call, **unasked))


class TestHeaders:
    """What stubs ask for in headers."""

    @pytest.fixture
    def where(self, port: int) -> dict[str, Any]:
        return {"consumer": "unfiltered", "egress": f"{_UNFILTERED.address}:{port}"}

    @pytest.mark.finds("DM301")
    @pytest.mark.finds("DM316")
    def test_are_stripped(self, mesh: ManyApps, where: Any) -> None:
        """https://github.com/istio/istio/issues/14923: as Istio configures sidecars, none obeys them."""
        assert {"DM301", "DM316"} <= ids(mesh.doctor("greeter", **where))
        assert mesh.call("greeter", "look", failures=9, **where).runs == 1
        assert not {"DM301", "DM316"} & ids(mesh.doctor("greeter"))
        assert mesh.call("greeter", "look", failures=9).runs == 3

    @pytest.mark.finds("DM309")
    def test_do_not_override_the_virtual_service(self, mesh: ManyApps, where: Any) -> None:
        """https://github.com/istio/istio/issues/19550: the route allows less time than they ask for."""
        assert {"DM301", "DM309"} <= ids(mesh.doctor("slow", **where))
        assert mesh.call("slow", "slow", request="hold", timeout=None, **where).timeout == 0.2
        assert not {"DM301", "DM309"} & ids(mesh.doctor("slow"))
        assert mesh.call("slow", "slow", request="hold", timeout=None).timeout == 0.4


@pytest.mark.finds("DM221")
def test_a_sidecar_resource_hides_the_service(mesh: ManyApps, port: int) -> None:
    """https://github.com/istio/istio/issues/34492: calls go to PassthroughCluster, which is nowhere here."""
    where: Any = {"consumer": "limited", "egress": f"{_LIMITED.address}:{port}"}
    assert "DM221" in ids(mesh.doctor("hidden", **where))
    assert not mesh.call("hidden", **where).runs
    assert "DM221" not in ids(mesh.doctor("hidden"))
    assert mesh.call("hidden").runs == 1
