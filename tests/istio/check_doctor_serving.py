"""The doctor beside a provider whose sidecar Istio configures. Run by `make istio`."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import dubbo_mesh
from dubbo_mesh._doctor.finding import Finding
from localmesh import ReservedPort
from tests.doctor import running
from tests.istio import cluster, interception, resources
from tests.istio.conftest import Emit, Start
from tests.istio.control_plane import ControlPlane
from tests.istio.mesh import PODS
from tests.istio.rolling import interception as ingress
from tests.istio.sidecar import IstioSidecar

POD = PODS[0]._replace(interception="REDIRECT")


def found(sidecar: IstioSidecar, server: str) -> list[Finding]:
    """What the doctor says of the sidecar in front of a server."""
    variables = {
        "DUBBO_MESH_ADMIN": sidecar.admin_address,
        "DUBBO_MESH_PROBES": "off",
        "POD_IP": POD.address,
    }
    return [each for each in running.examined(variables=variables, server=server) if each.check == "inbound"]


@contextmanager
def serving(address: str) -> Generator[str]:
    """A server without services at an address."""
    with dubbo_mesh.Server(address=address, sidecar="off", probes="off", drain=0):
        yield address


@pytest.fixture(scope="module")
def redirected(emit: Emit, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IstioSidecar]:
    """The sidecar of a pod to which all connections are redirected, and whose Service has the port."""
    directory = tmp_path_factory.mktemp("redirected")
    service: Any = resources.service("greeter", port, port_name="grpc", selector={"app": "greeter"})
    service["spec"]["ports"][0]["targetPort"] = port  # as the API server sets it
    manifests = [service, resources.no_mutual_tls()]
    cluster.write(given := directory / "given.yaml", manifests)
    cluster.write(filled_in := directory / "filled-in.yaml", cluster.filled_in(manifests, [POD]))
    with ReservedPort() as outbound, ReservedPort() as inbound:
        ports = interception.ports(outbound.number, inbound.number)
        with (
            ControlPlane([given, filled_in], directory, ports) as control_plane,
            IstioSidecar(POD, control_plane, directory) as sidecar,
        ):
            sidecar.wait_configured(routes=False)
            yield sidecar
            assert [*sidecar.rejections, *control_plane.rejections] == []


def test_a_server_at_the_services_port(redirected: IstioSidecar, port: int) -> None:
    with serving(f"{POD.address}:{port}") as address:
        (finding,) = found(redirected, address)
    assert finding.status == "ok", finding
    assert f"inbound|{port}||" in finding.finding


@pytest.mark.finds("DM437")
def test_a_server_at_another_port(redirected: IstioSidecar, port: int) -> None:
    with ReservedPort() as other, serving(f"{POD.address}:{other.number}") as address:
        (finding,) = found(redirected, address)
    assert finding.id == "DM437"
    assert f"only to {port}" in finding.finding


def test_a_server_behind_a_sidecar_resource(mesh: Start, emit: Emit, port: int, tmp_path: Path) -> None:
    """Istio then names the pod's address."""
    emitted = emit("emit=python+kubernetes+istio")
    with ReservedPort() as listener:
        cluster.write(inbound := tmp_path / "inbound.yaml", ingress(PODS[:1], listener.number, port))
        provider = mesh(emitted, [*emitted.manifests, inbound]).sidecar(PODS[0])
        provider.wait_configured(routes=False)
        (finding,) = found(provider, f"{POD.address}:{port}")
    assert finding.status == "ok", finding


def test_calls_on_trial(mesh: Start, emit: Emit) -> None:
    """With a Sidecar resource the consumer's connections are not intercepted: there is a way past it."""
    emitted = emit("emit=python+kubernetes+istio")
    started = mesh(emitted)
    variables = {
        name: value for name, value in os.environ.items() if name.startswith(("DUBBO_MESH_", "POD_"))
    }
    variables["DUBBO_MESH_ADMIN"] = started.consumer.admin_address
    with patch.dict("sys.modules", {"greeter_mesh": emitted.module}):
        findings = running.examined("greeter_mesh", variables=variables, calls=["greeter.v1.Greeter/look"])
    through, past = [each for each in findings if each.check == "call"]
    assert through.finding.startswith("greeter.v1.Greeter/look: OK through the sidecar, in "), through
    assert past.finding.startswith(
        "greeter.v1.Greeter/look: OK past the sidecar, at a host of its cluster, 127.0.10."
    )
