"""What the doctor says of rpcs in proxyless mode, and what grpc's own xDS client does with such calls."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Self
from unittest.mock import patch

import grpc
import pytest

from dubbo_mesh import EnvoyHeaders
from tests.addressing.control_plane import ControlPlane
from tests.doctor.cases import PORT, Case, Mesh, Outcome, Rpc, stub_class
from tests.doctor.running import environment, examined

RETRY = {"retry_policy": {"retry_on": "unavailable,reset", "num_retries": 2}}
LASTS = {"max_stream_duration": {"max_stream_duration": "0.3s"}}

_numbers = itertools.count()


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    """Only its server is called."""
    with Mesh([Case(name="unused")]) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane


class Proxyless:
    """An rpc in proxyless mode."""

    def __init__(self, mesh: Mesh, control_plane: ControlPlane, case: Case) -> None:
        self._mesh, self.case = mesh, case
        authority = f"{case.name}.default.svc.cluster.local:{PORT}"
        control_plane.serve(authority, [mesh.server], action=case.action, manager_options=case.listener)
        server = {
            "server_uri": control_plane.address,
            "channel_creds": [{"type": "insecure"}],
            "server_features": ["xds_v3"],
        }
        bootstrap = json.dumps({"xds_servers": [server], "node": {"id": "test"}})
        variables = {"DUBBO_MESH_MODE": "proxyless", "GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap}
        module = ModuleType("proxyless_mesh")
        setattr(module, case.name, stub_class(case))
        with patch.dict(sys.modules, {"proxyless_mesh": module}):
            findings = examined("proxyless_mesh", variables=variables)
        about = [each for each in findings if each.subject == case.subject]
        (sentence,) = [each.finding for each in about if each.check == "rpc"]
        self.said = sentence.removeprefix(f"{case.subject}: ")
        self.ids = {each.id for each in about} - {None}
        self._variables = patch.dict("os.environ", environment(variables), clear=True)

    def call(self, behaviour: str) -> Outcome:
        return self._mesh.outcome(getattr(self._stub, self.case.rpc), self.case, behaviour)

    def __enter__(self) -> Self:
        self._variables.start()
        self._stub: Any = stub_class(self.case)()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stub.__exit__(None, None, None)
        self._variables.stop()


def proxyless(
    mesh: Mesh,
    control_plane: ControlPlane,
    action: Any,
    rpc: Rpc = "unary",
    listener: Any = None,
    **envoy: Any,
) -> Proxyless:
    name = f"proxyless-{next(_numbers)}"
    asked = EnvoyHeaders(**envoy)
    case = Case(name=name, rpc=rpc, envoy=asked, action=action, listener=listener or {})
    return Proxyless(mesh, control_plane, case)


def test_the_routes_retries_count(mesh: Mesh, control_plane: ControlPlane) -> None:
    """On statuses only: grpc knows no other conditions."""
    with proxyless(mesh, control_plane, RETRY, timeout=5) as rpc:
        assert (
            rpc.said == "5 s (the deadline; no timeout in the route), up to 2 retries on unavailable (route)"
        )
        assert rpc.ids == set()
        assert rpc.call("fail:UNAVAILABLE").runs == 3
        assert rpc.call("fail:INTERNAL").runs == 1


@pytest.mark.finds("DM337")
def test_what_stubs_ask_for_is_ignored(mesh: Mesh, control_plane: ControlPlane) -> None:
    asked: dict[str, Any] = {"timeout": 5, "max_retries": 2, "retry_grpc_on": "unavailable"}
    with proxyless(mesh, control_plane, {}, **asked) as rpc:
        assert rpc.said == "5 s (the deadline; no timeout in the route), no retries"
        assert rpc.ids == {"DM337"}
        assert rpc.call("fail:UNAVAILABLE").runs == 1
    with proxyless(mesh, control_plane, RETRY, **asked) as rpc:
        assert rpc.ids == set()
        assert rpc.call("fail:UNAVAILABLE").runs == 3


def test_there_are_five_attempts_at_most(mesh: Mesh, control_plane: ControlPlane) -> None:
    many = {"retry_policy": {"retry_on": "unavailable", "num_retries": 9, "retry_back_off": {
        "base_interval": "0.01s", "max_interval": "0.02s"}}}  # fmt: skip
    with proxyless(mesh, control_plane, many, timeout=20) as rpc:
        assert rpc.said.endswith("up to 4 retries on unavailable (route)")
        assert rpc.call("fail:UNAVAILABLE").runs == 5


@pytest.mark.finds("DM314")
@pytest.mark.parametrize("rpc", ["unary", "watch"])
def test_a_duration_ends_calls(mesh: Mesh, control_plane: ControlPlane, rpc: Rpc) -> None:
    with proxyless(mesh, control_plane, LASTS, rpc, timeout=20) as limited:
        assert limited.said == "ended after 300 ms (max_stream_duration: route), no retries"
        assert limited.ids == {"DM314"}
        assert limited.call("slow").code is grpc.StatusCode.DEADLINE_EXCEEDED
    by_listener = {"common_http_protocol_options": {"max_stream_duration": "0.3s"}}
    with proxyless(mesh, control_plane, {}, rpc, listener=by_listener, timeout=20) as limited:
        assert limited.said == "ended after 300 ms (max_stream_duration: listener), no retries"
        assert limited.call("slow").code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_limit_for_deadlines_is_one_for_calls_without(mesh: Mesh, control_plane: ControlPlane) -> None:
    limit = {"max_stream_duration": {"grpc_timeout_header_max": "0.3s"}}
    with proxyless(mesh, control_plane, limit) as rpc:
        assert rpc.said == "ended after 300 ms (max_stream_duration: route), no retries"
        assert rpc.call("slow").code is grpc.StatusCode.DEADLINE_EXCEEDED
    with proxyless(mesh, control_plane, limit, timeout=0.2) as rpc:
        assert rpc.said == "200 ms (the deadline, which the route obeys), no retries"
        assert rpc.ids == set()


def test_a_timeout_of_the_route_is_ignored(mesh: Mesh, control_plane: ControlPlane) -> None:
    with proxyless(mesh, control_plane, {"timeout": "0.1s"}, timeout=0.4) as rpc:
        assert rpc.said == "400 ms (the deadline; no timeout in the route), no retries"
        assert rpc.call("slow:0.2").code is grpc.StatusCode.OK
