"""The doctor finds the faults of Istio's configuration, and calls fail as it says. Run by `make istio`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localmesh import ReservedPort, wait_until
from tests.doctor.running import ids
from tests.istio import cluster, resources
from tests.istio.cluster import Manifest, Pod
from tests.istio.conftest import Emit
from tests.istio.emitting import Emitted
from tests.istio.faults import Fault, bad, service, unavailable, without_retries
from tests.istio.many_apps import ManyApps
from tests.istio.mesh import PODS
from tests.istio.routing_faults import ROUTING
from tests.istio.unusual import UNUSUAL, unusual
from tests.istio.upstream_faults import UPSTREAM

FAULTS = [*ROUTING, *UPSTREAM]
_ALL = ["./*", "shop/*"]
_CONSUMERS = {
    "unfiltered": Pod("unfiltered", "127.0.20.2", {"app": "unfiltered"}),
    "misnamed": Pod("misnamed", "127.0.20.3", {"app": "misnamed"}),
    "limited": Pod("limited", "127.0.20.4", {"app": "limited"}),
    "strict": Pod("strict", "127.0.20.5", {"app": "strict"}),
}
"""Consumers with a fault of their own. Their sidecars listen on the addresses of their pods."""

_GREETER = ["./greeter.default.svc.cluster.local"]
_KNOWN = {"limited": _GREETER, "strict": _GREETER}
"""What their Sidecar resources let them know, if not all."""

_MORE = {"strict": {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}}
_IN_SHOP = Pod("greeter-3", "127.0.10.3", {"app": "greeter", "version": "v1"}, "shop")


@pytest.fixture(scope="module")
def tcp_port() -> Iterator[int]:
    with ReservedPort() as reserved:
        yield reserved.number


@pytest.fixture(scope="module")
def mesh(
    emit: Emit, port: int, tcp_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ManyApps]:
    everything = [
        *without_retries("greeter", port),
        *service("hidden", port),
        *unusual(port),
        *(each for fault in FAULTS for each in fault.manifests(port)),
        resources.service("named-tcp", tcp_port, port_name="tcp"),
        resources.internal_addresses("consumer", cluster.CONSUMER.labels, "10.0.0.0/8"),
        resources.internal_addresses("misnamed", {"app": "misnamed"}, "192.168.0.0/16"),
        *(
            resources.sidecar(
                pod.name, pod.labels, _KNOWN.get(name, _ALL), pod.address, port, **_MORE.get(name, {})
            )
            for name, pod in _CONSUMERS.items()
        ),
        *_with_outlier_detection("ejecting", port, minHealthPercent=0),
        *_with_outlier_detection("panicking", port, minHealthPercent=60),
    ]
    directory = tmp_path_factory.mktemp("faults")
    consumers = [cluster.CONSUMER, *_CONSUMERS.values()]
    emitted = emit("emit=python+kubernetes+istio")
    pods = [*PODS, _IN_SHOP]
    with ManyApps(emitted, everything, port, directory, consumers=consumers, pods=pods) as started:
        yield started
        assert started.rejections() == []


@pytest.mark.finds("DM207")
@pytest.mark.finds("DM208")
@pytest.mark.finds("DM209")
@pytest.mark.finds("DM210")
@pytest.mark.finds("DM211")
@pytest.mark.finds("DM247")
@pytest.mark.finds("DM306")
@pytest.mark.finds("DM322")
@pytest.mark.finds("DM325")
@pytest.mark.finds("DM329")
@pytest.mark.finds("DM330")
@pytest.mark.finds("DM332")
@pytest.mark.finds("DM338")
@pytest.mark.finds("DM345")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.app)
class TestFaultsOfApplications:
    @pytest.fixture
    def where(self, fault: Fault, routes: Emitted) -> dict[str, Any]:
        """Arguments for the doctor as well as for calls."""
        found: dict[str, Any] = {"namespace": fault.call.get("namespace")}
        return found | {"stubs": routes} if fault.unasked else found

    def test_are_found(self, mesh: ManyApps, fault: Fault, where: dict[str, Any]) -> None:
        assert fault.shows(mesh.call(fault.app, fault.rpc, **{**fault.call, **where}))
        found = [each for each in mesh.doctor(fault.app, **where) if each.id == fault.id]
        assert found
        assert all(fault.seen.format(app=fault.app) in each.finding for each in found)

    def test_are_not_found_where_there_are_none(
        self, mesh: ManyApps, fault: Fault, where: dict[str, Any]
    ) -> None:
        assert not fault.shows(mesh.call(fault.mended, fault.rpc, **{**fault.call, **where}))
        assert bad(mesh.doctor(fault.mended, **where)) == set()


@pytest.mark.parametrize("app", UNUSUAL)
def test_what_is_unusual_is_well(mesh: ManyApps, app: str) -> None:
    assert mesh.call(app).runs == 1
    assert bad(mesh.doctor(app)) == set()


class TestHeaders:
    """The sidecars of some consumers drop what stubs ask for."""

    def test_count(self, mesh: ManyApps) -> None:
        assert bad(mesh.doctor("greeter")) == set()
        assert mesh.call("greeter", "look", failures=9).runs == 3

    @pytest.mark.finds("DM301")
    @pytest.mark.finds("DM340")
    @pytest.mark.parametrize(("consumer", "id"), [("unfiltered", "DM301"), ("misnamed", "DM340")])
    def test_are_dropped(self, mesh: ManyApps, port: int, consumer: str, id: str) -> None:
        where: Any = {"consumer": consumer, "egress": f"{_CONSUMERS[consumer].address}:{port}"}
        assert id in ids(mesh.doctor("greeter", **where))
        assert mesh.call("greeter", "look", failures=9, **where).runs == 1

    @pytest.mark.finds("DM304")
    def test_need_an_address(self, mesh: ManyApps) -> None:
        variables = {"DUBBO_MESH_FORWARDED_FOR": "off"}
        assert "DM304" in ids(mesh.doctor("greeter", variables=variables))
        assert mesh.call("greeter", "look", failures=9, variables=variables).runs == 1


@pytest.mark.finds("DM205")
def test_a_port_for_tcp(mesh: ManyApps, tcp_port: int) -> None:
    [found] = [each for each in mesh.doctor("named-tcp", port=tcp_port) if each.id == "DM205"]
    assert str(tcp_port) in found.finding
    called = mesh.call("named-tcp", "look", port=tcp_port, failures=9)
    assert called.runs == 1
    assert called.timeout is None


class TestWhatASidecarDoesNotKnow:
    @pytest.mark.finds("DM221")
    @pytest.mark.parametrize(
        "unknown",
        [
            pytest.param({"app": "hidden", "consumer": "limited"}, id="hidden by a Sidecar resource"),
            pytest.param({"app": "greeter", "namespace": "nowhere"}, id="in another namespace"),
            pytest.param({"app": "grater"}, id="misspelt"),
        ],
    )
    def test_is_passed_on(self, mesh: ManyApps, port: int, unknown: dict[str, Any]) -> None:
        where = unknown | _egress(unknown.get("consumer"), port)
        assert "DM221" in ids(mesh.doctor(**where))
        assert unavailable("no healthy upstream")(mesh.call(**where))

    @pytest.mark.finds("DM222")
    def test_is_refused(self, mesh: ManyApps, port: int) -> None:
        where: Any = {"app": "hidden", "consumer": "strict"} | _egress("strict", port)
        assert "DM222" in ids(mesh.doctor(**where))
        assert unavailable()(mesh.call(**where))

    @pytest.mark.parametrize("consumer", ["limited", "strict"])
    def test_is_not_the_rest(self, mesh: ManyApps, port: int, consumer: str) -> None:
        where: Any = {"app": "greeter", "consumer": consumer} | _egress(consumer, port)
        assert not {"DM221", "DM222"} & ids(mesh.doctor(**where))
        assert mesh.call(**where).runs == 1

    @pytest.mark.finds("DM204")
    def test_has_no_listener(self, mesh: ManyApps) -> None:
        with ReservedPort() as other:
            assert {"DM107", "DM204"} <= ids(mesh.doctor("greeter", port=other.number))
            assert unavailable("Connection refused")(mesh.call("greeter", port=other.number))


@pytest.mark.finds("DM213")
@pytest.mark.finds("DM218")
class TestOutlierDetection:
    """Each pod fails once, and is ejected."""

    def test_may_eject_all(self, mesh: ManyApps) -> None:
        assert not {"DM213", "DM218"} & ids(mesh.doctor("ejecting"))
        # Envoy's workers learn of it a little later than who asks for its hosts.
        none_left = unavailable("no healthy upstream")
        wait_until(lambda: none_left(mesh.call("ejecting", failures=1)), what="all pods are ejected")
        assert "DM213" in ids(mesh.doctor("ejecting"))

    def test_panics_if_too_few_are_left(self, mesh: ManyApps) -> None:
        assert not {"DM213", "DM218"} & ids(mesh.doctor("panicking"))

        def fail(healthy: int) -> bool:
            mesh.call("panicking", failures=1)
            return not healthy

        mesh.wait_hosts("panicking", fail)
        assert "DM218" in ids(mesh.doctor("panicking"))
        assert mesh.call("panicking").runs == 1


def _with_outlier_detection(app: str, port: int, **more: Any) -> list[Manifest]:
    detection = {
        "consecutive5xxErrors": 1,
        "interval": "0.05s",
        "baseEjectionTime": "1h",
        "maxEjectionPercent": 100,
    }
    rule = resources.destination_rule(app, {"outlierDetection": {**detection, **more}})
    return [*service(app, port), rule]


def _egress(consumer: str | None, port: int) -> dict[str, Any]:
    return {} if consumer is None else {"egress": f"{_CONSUMERS[consumer].address}:{port}"}
