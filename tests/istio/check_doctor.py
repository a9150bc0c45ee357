"""The doctor on emitted files: it finds nothing, and calls do what it says. Run by `make istio`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from dubbo_mesh._doctor.finding import Finding
from dubbo_mesh._doctor.policy.sentence import SLACK
from localmesh import ReservedPort, wait_until
from tests.doctor import running
from tests.doctor.running import ids
from tests.istio import cluster, wrong_manifests
from tests.istio.conftest import Emit, Start
from tests.istio.control_plane import ControlPlane
from tests.istio.emitting import Emitted
from tests.istio.faults import bad
from tests.istio.mesh import PODS, Mesh
from tests.istio.sidecar import IstioSidecar

CALLS = '[apps.consumer]\nnamespace = "default"\ncalls = ["greeter"]\n'
MORE = """
[services."greeter.v1.Greeter".methods.look]
timeout = "2s"
per_try_timeout = "500ms"
retry = { attempts = 5, on = ["reset"], grpc_on = ["deadline-exceeded", "unavailable"] }
[istio]
health_checks = { interval = "250ms" }
[istio.outlier_detection]
max_ejection_percent = 50
"""
FRONT = cluster.CONSUMER._replace(namespace="front")
FRONT_CALLS = '[apps.consumer]\nnamespace = "front"\ncalls = ["greeter.default"]\n'
EXPECTED = "x-envoy-expected-rq-timeout-ms"


class Said(NamedTuple):
    """What the doctor says of an rpc.

    Attributes:
        timeout: Seconds, for each attempt if there is one for these; 0 if there is none.
        runs: How often a handler runs that fails with UNAVAILABLE each time.
    """

    timeout: float
    runs: int


@pytest.mark.parametrize(
    ("emitter", "policy", "config"),
    [
        pytest.param("istio", "headers", "", id="headers"),
        pytest.param("istio", "headers", CALLS, id="headers and a Sidecar"),
        pytest.param("istio", "routes", "", id="routes"),
        pytest.param("istio", "routes", CALLS, id="routes and a Sidecar"),
        pytest.param("istio", "headers", MORE, id="headers, per attempt"),
        pytest.param("istio", "routes", MORE, id="routes, per attempt"),
        pytest.param("gateway", "routes", "", id="the Gateway API's routes"),
    ],
)
def test_calls_do_what_it_says(mesh: Start, emit: Emit, emitter: str, policy: str, config: str) -> None:
    emitted = emit(f"emit=python+kubernetes+{emitter}", f"policy={policy}", config=config)
    started = mesh(emitted)
    if config == MORE:
        started.wait_healthy(len(PODS))
    findings = _examined(started.consumer, emitted)
    # The Gateway API cannot say that an rpc must not be retried, and Istio retries all.
    assert bad(findings) == ({"DM325"} if emitter == "gateway" else set())
    said = _said(findings)
    assert set(said) == {"Greeter/hello", "Greeter/look", "Greeter/slow", "Greeter/watch", "Canary/hello"}
    for rpc, (timeout, runs) in said.items():
        called = _call(started, rpc)
        assert called.runs == runs, rpc
        # Some of a stub's deadline may have passed, or it asks the sidecar for a little more.
        assert (0 < called.timeout <= timeout + SLACK) if timeout else not called.timeout, rpc


@pytest.mark.parametrize("policy", ["headers", "routes"])
def test_another_namespace_is_well(
    mesh: Start, emit: Emit, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POD_NAMESPACE", FRONT.namespace)
    emitted = emit("emit=python+kubernetes+istio", f"policy={policy}", config=FRONT_CALLS)
    assert bad(_examined(mesh(emitted, consumer=FRONT).consumer, emitted)) == set()


@pytest.mark.parametrize("emitter", ["istio", "gateway"])
def test_several_ports_are_well(mesh: Start, emit: Emit, emitter: str) -> None:
    """Explicit listeners are for one port each, and services on the others are told apart by it."""
    with ReservedPort() as second:
        config = f'[services."greeter.v1.Canary"]\nport = {second.number}\n'
        emitted = emit(f"emit=python+kubernetes+{emitter}", "policy=routes", config=config)
        started = mesh(emitted)
        own = {"DUBBO_MESH_EGRESS": f"127.0.0.1:{second.number}"}
        for variables, service in (({}, "Greeter"), (own, "Canary")):
            found = [
                each
                for each in _examined(started.consumer, emitted, **variables)
                if each.subject.startswith(f"greeter.v1.{service}") and each.id
            ]
            assert bad(found) == ({"DM325"} if emitter == "gateway" else set())


def _examined(sidecar: IstioSidecar, emitted: Emitted, **variables: str) -> list[Finding]:
    own = {name: value for name, value in os.environ.items() if name.startswith(("DUBBO_MESH_", "POD_"))}
    own |= {"DUBBO_MESH_ADMIN": sidecar.admin_address} | variables
    with patch.dict("sys.modules", {"greeter_mesh": emitted.module}):
        return running.examined("greeter_mesh", variables=own)


def _said(findings: Sequence[Finding]) -> Mapping[str, Said]:
    return {
        each.subject.removeprefix("greeter.v1."): _parsed(each.finding)
        for each in findings
        if each.check == "rpc" and each.status == "ok"
    }


def _parsed(sentence: str) -> Said:
    timeout = re.search(r"([0-9.]+) (m?s) for each attempt", sentence)
    timeout = timeout or re.search(r": (?:cut after )?([0-9.]+) (m?s)\b", sentence)
    retries = re.search(r"\b([0-9]+) retr.*\bunavailable\b", sentence)
    seconds = 0.0 if timeout is None else float(timeout[1]) / (1000 if timeout[2] == "ms" else 1)
    return Said(seconds, 1 + (int(retries[1]) if retries else 0))


def _call(mesh: Mesh, rpc: str) -> Said:
    """What becomes of a call that fails each time."""
    mesh.record.calls.clear()
    mesh.record.failures = 99
    service, _, name = rpc.partition("/")
    stub = mesh.stub(service)
    with pytest.raises(grpc.RpcError):
        list(getattr(stub, name)(StringValue()))
    told: Any = mesh.record.calls[0].metadata.get(EXPECTED, 0)
    return Said(int(told) / 1000, len(mesh.record.calls))


@pytest.mark.finds("DM204")
@pytest.mark.finds("DM232")
def test_what_the_sidecar_refuses(consumer: None, routes: Emitted, tmp_path: Path) -> None:
    """A value of an EnvoyFilter that only Envoy knows to be wrong, so that the listener is not made."""
    wrong = next(each for each in wrong_manifests.for_check("envoy"))
    manifests = [*routes.manifests, wrong.file, tmp_path / "filled-in.yaml"]
    cluster.write(manifests[-1], cluster.filled_in(cluster.read(routes.kubernetes), [cluster.CONSUMER]))
    with (
        ControlPlane(manifests, tmp_path) as control_plane,
        IstioSidecar(cluster.CONSUMER, control_plane, tmp_path) as sidecar,
    ):
        wait_until(lambda: sidecar.rejections, what="the sidecar says so")
        found = _examined(sidecar, routes)
    assert {"DM107", "DM204", "DM232"} <= ids(found)
