"""What the doctor says of the time that a server has to stop, and of the sidecar that stops beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dubbo_mesh._doctor.finding import Finding
from tests import sidecars
from tests.doctor.running import examined, ids
from tests.doctor.servers import OFF
from tests.sidecars import config


def found(period: float | None, **variables: str) -> list[Finding]:
    findings = examined(variables=OFF | variables, server="127.0.0.1:1", termination_grace_period=period)
    return [each for each in findings if each.check == "grace"]


@pytest.mark.parametrize("period", [30.0, 26.0])
def test_enough(period: float) -> None:
    (finding,) = found(period)
    assert finding.status == "ok"


@pytest.mark.finds("DM430")
@pytest.mark.parametrize(("period", "drain"), [(20.0, "5"), (25.0, "5"), (30.0, "10")])
def test_too_little(period: float, drain: str) -> None:
    (finding,) = found(period, DUBBO_MESH_DRAIN=drain)
    assert finding.id == "DM430"
    total = float(drain) + 20
    assert finding.finding.startswith(f"drain {drain} s (DUBBO_MESH_DRAIN) + grace 20 s")
    assert finding.finding.endswith(f"= {total:g} s, but the pod is killed after {period:g} s")
    assert f"set terminationGracePeriodSeconds to {total + 5:g} or more" in finding.remedy


@pytest.mark.finds("DM431")
@pytest.mark.parametrize(("period", "drain"), [(5.0, ""), (30.0, "60")])
def test_not_even_for_draining(period: float, drain: str) -> None:
    assert ids(found(period, DUBBO_MESH_DRAIN=drain)) == {"DM431"}


def test_it_has_to_be_known() -> None:
    (finding,) = found(None, KUBERNETES_SERVICE_HOST="10.0.0.1")
    assert finding.status == "skipped"
    assert "kubectl get pod" in finding.remedy
    (finding,) = found(None)
    assert finding.status == "skipped"
    assert not finding.remedy


def test_without_a_server() -> None:
    findings = examined(variables=OFF, termination_grace_period=20.0)
    assert "DM430" in ids(findings)
    assert not [each for each in examined(variables=OFF) if each.check == "grace"]


def beside_istios(
    *, native: bool = False, drains: str | None = None, environment: dict[str, str] | None = None
) -> list[Finding]:
    """The findings beside an Envoy of which pilot-agent has said how it was injected."""
    containers: dict[str, list[str] | None] = {
        "initContainers": ["istio-init"],
        "containers": ["istio-proxy"],
    }
    if native:
        containers = {"initContainers": ["istio-init", "istio-proxy"], "containers": None}
    proxy: dict[str, Any] = {"proxyMetadata": environment or {}}
    if drains is not None:
        proxy["terminationDrainDuration"] = drains
    metadata = {
        "PROXY_CONFIG": proxy,
        "ANNOTATIONS": {"sidecar.istio.io/status": json.dumps(containers)},
    }
    return beside({"id": "sidecar~10.0.0.1~pod.default~x", "cluster": "echo", "metadata": metadata})


def beside(node: dict[str, Any]) -> list[Finding]:
    app = config.cluster("inbound|50051||", ["127.0.0.1:50051"])
    with sidecars.StaticEnvoy("istios", clusters=[app], bootstrap={"node": node}) as envoy:
        given = OFF | {"DUBBO_MESH_ADMIN": envoy.admin_address}
        findings = examined(variables=given, server="127.0.0.1:1", termination_grace_period=60.0)
    return [each for each in findings if each.check == "grace"]


@pytest.mark.finds("DM432")
@pytest.mark.parametrize(("drains", "seen"), [(None, "5 s (default)"), ("20s", "20 s (terminationDrainDur")])
def test_a_classic_sidecar_that_ends_first(drains: str | None, seen: str) -> None:
    findings = beside_istios(drains=drains)
    assert ids(findings) == {"DM432"}
    assert seen in findings[-1].finding


@pytest.mark.parametrize(
    "given",
    [
        {"drains": "30s"},
        {"native": True},
        {"environment": {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"}},
    ],
)
def test_a_sidecar_that_ends_last(given: dict[str, Any]) -> None:
    assert ids(beside_istios(**given)) == set()


@pytest.mark.parametrize("status", ["{", "[" * 100_000, "[]", '{"containers": 1}', "null"])
def test_a_sidecar_of_which_nothing_is_known(status: str) -> None:
    assert (
        ids(
            beside(
                {"id": "x", "cluster": "x", "metadata": {"ANNOTATIONS": {"sidecar.istio.io/status": status}}}
            )
        )
        == set()
    )
