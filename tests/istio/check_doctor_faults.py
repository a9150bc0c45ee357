"""The doctor finds the faults of Istio's configuration, and calls fail as it says. Run by `make istio`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localmesh import ReservedPort
from tests.doctor.running import ids
from tests.istio import cluster, resources
from tests.istio.cluster import Pod
from tests.istio.conftest import Emit
from tests.istio.faults import FAULTS, Fault, bad, service
from tests.istio.many_apps import ManyApps

_ALL = ["./*", "shop/*"]
_CONSUMERS = {
    "unfiltered": Pod("unfiltered", "127.0.20.2", {"app": "unfiltered"}),
    "misnamed": Pod("misnamed", "127.0.20.3", {"app": "misnamed"}),
}
"""Consumers with a fault of their own. Their sidecars listen on the addresses of their pods."""


@pytest.fixture(scope="module")
def tcp_port() -> Iterator[int]:
    with ReservedPort() as reserved:
        yield reserved.number


@pytest.fixture(scope="module")
def mesh(
    emit: Emit, port: int, tcp_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ManyApps]:
    everything = [
        *service("greeter", port),
        *(each for fault in FAULTS for each in fault.manifests(port)),
        resources.service("named-tcp", tcp_port, port_name="tcp"),
        resources.internal_addresses("consumer", cluster.CONSUMER.labels, "10.0.0.0/8"),
        resources.internal_addresses("misnamed", {"app": "misnamed"}, "192.168.0.0/16"),
        *(resources.sidecar(pod.name, pod.labels, _ALL, pod.address, port) for pod in _CONSUMERS.values()),
    ]
    directory = tmp_path_factory.mktemp("faults")
    consumers = [cluster.CONSUMER, *_CONSUMERS.values()]
    emitted = emit("emit=python+kubernetes+istio")
    with ManyApps(emitted, everything, port, directory, consumers=consumers) as started:
        yield started
        assert started.rejections() == []


@pytest.mark.finds("DM207")
@pytest.mark.finds("DM208")
@pytest.mark.finds("DM209")
@pytest.mark.finds("DM210")
@pytest.mark.finds("DM211")
@pytest.mark.finds("DM247")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.app)
class TestFaultsOfApplications:
    def test_are_found(self, mesh: ManyApps, fault: Fault) -> None:
        found = [each for each in mesh.doctor(fault.app) if each.id == fault.id]
        assert found
        assert all(fault.seen.format(app=fault.app) in each.finding for each in found)
        assert fault.shows(mesh.call(fault.app, fault.rpc, **fault.call))

    def test_are_not_found_where_there_are_none(self, mesh: ManyApps, fault: Fault) -> None:
        assert bad(mesh.doctor(fault.mended)) == set()
        assert not fault.shows(mesh.call(fault.mended, fault.rpc, **fault.call))


class TestHeaders:
    """The sidecars of some consumers drop what stubs ask for."""

    def test_count(self, mesh: ManyApps) -> None:
        assert bad(mesh.doctor("greeter")) == set()
        assert mesh.call("greeter", "look", failures=9).runs == 3

    @pytest.mark.finds("DM301")
    @pytest.mark.finds("DM302")
    @pytest.mark.parametrize(("consumer", "id"), [("unfiltered", "DM301"), ("misnamed", "DM302")])
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
