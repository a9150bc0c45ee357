"""What the doctor says of rpcs that no sidecar sees."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from unittest.mock import patch

import grpc
import pytest

from dubbo_mesh import EnvoyHeaders
from dubbo_mesh._doctor.finding import Finding
from tests.doctor.cases import Case, Mesh, stub_class
from tests.doctor.running import environment, examined

RETRIED = Case(name="retried", envoy=EnvoyHeaders(timeout=0.5, max_retries=2, retry_grpc_on="unavailable"))
PLAIN = Case(name="plain")
WATCH = Case(name="watch", rpc="watch", envoy=EnvoyHeaders(timeout=2))


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with Mesh([RETRIED, PLAIN, WATCH]) as mesh:
        yield mesh


def found(case: Case, variables: dict[str, str]) -> tuple[list[str], set[str | None]]:
    """The sentences on a case, and the ids of what is found about its rpc."""
    module = ModuleType("past_sidecar_mesh")
    setattr(module, case.name, stub_class(case))
    with patch.dict(sys.modules, {"past_sidecar_mesh": module}):
        findings: list[Finding] = examined("past_sidecar_mesh", variables=variables)
    about = [each for each in findings if each.subject == case.subject]
    sentences = [each.finding for each in about if each.check == "rpc"]
    return sentences, {each.id for each in about} - {None}


def direct(mesh: Mesh, case: Case) -> dict[str, str]:
    return {"DUBBO_MESH_MODE": "direct", "DUBBO_MESH_DIRECT": f"{case.name}={mesh.server}"}


@pytest.mark.finds("DM336")
def test_nobody_retries_in_direct_mode(mesh: Mesh) -> None:
    variables = direct(mesh, RETRIED)
    sentences, ids = found(RETRIED, variables)
    assert sentences == ["retried.Test/unary: 500 ms (its deadline), no retries: it is dialled directly"]
    assert ids == {"DM336"}
    with patch.dict("os.environ", environment(variables), clear=True):
        stub: Any = stub_class(RETRIED)()
    with stub:
        assert mesh.outcome(stub.unary, RETRIED, "fail:UNAVAILABLE").runs == 1
        assert mesh.outcome(stub.unary, RETRIED, "slow").code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert mesh.call("retried", "fail:UNAVAILABLE").runs == 3
    assert mesh.ids("retried") == set()


def test_rpcs_that_ask_for_no_retries_miss_none(mesh: Mesh) -> None:
    sentences, ids = found(PLAIN, direct(mesh, PLAIN))
    assert sentences == ["plain.Test/unary: no timeout, no retries: it is dialled directly"]
    assert ids == set()
    assert found(WATCH, direct(mesh, WATCH))[0] == [
        "watch.Test/watch: 2 s (its deadline), no retries: it is dialled directly"
    ]


@pytest.mark.finds("DM337")
def test_proxyless_mode_ignores_headers() -> None:
    variables = {"DUBBO_MESH_MODE": "proxyless", "GRPC_XDS_BOOTSTRAP_CONFIG": "{}"}
    sentences, ids = found(RETRIED, variables)
    assert len(sentences) == 1
    assert "500 ms (its deadline), or less if the control plane says so" in sentences[0]
    assert ids == {"DM337"}
    assert found(PLAIN, variables)[1] == set()
