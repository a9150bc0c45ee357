"""What `explain` reports as sent is what stubs send: their own code resolves a call without arguments."""

from __future__ import annotations

import importlib
import itertools
import sys
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from dubbo_mesh import Environment, EnvoyHeaders, Method, Service
from dubbo_mesh._calling.headers import Headers
from dubbo_mesh._calling.plan import CallPlan
from protoc_gen_dubbo_mesh.cli import answer
from protoc_gen_dubbo_mesh.explain.sending import sent
from protoc_gen_dubbo_mesh.policy.envoy_headers import arguments
from protoc_gen_dubbo_mesh.policy.model import CallPolicy, Identity, Retry, RpcPolicy
from protoc_gen_dubbo_mesh.policy.provenance import Declaration
from protoc_gen_dubbo_mesh.protoc.descriptors_pb2 import FileDescriptorProto
from tests.explain.explaining import Explaining

POLICIES = [
    CallPolicy(timeout=timeout, inherit_timeout=inherit, retry=retry, stream_duration=duration)
    for timeout, inherit, retry, duration in itertools.product(
        (None, 0.0, 0.0004, 1.0001, 3.0, 1e9),
        (None, False, True),
        (None, Retry(attempts=1), Retry(attempts=3, on=("reset",), status_codes=(503,))),
        (None, 60.0),
    )
]
SHAPES = list(itertools.product((False, True), repeat=2))
IDENTITIES = [Identity(), Identity(app="demo", version="1.0.0"), Identity(version="1", group="blue")]


def by_a_stub(service: Service, method: Method) -> tuple[Any, Any]:
    plan = CallPlan(method, method.envoy, Headers.of(service, Environment(), "sidecar"))
    return plan.resolve(None, None, None)


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_what_a_stub_resolves(shape: tuple[bool, bool], identity: Identity) -> None:
    for policy in POLICIES:
        headers = arguments(policy)
        rpc = RpcPolicy(
            *("c", "/a.B/c", *shape, False, (), policy, headers),
            declaration=Declaration(FileDescriptorProto(), ()),
            layers=(),
        )
        method = Method("/a.B/c", StringValue, StringValue, "c", *shape, envoy=EnvoyHeaders(**headers))
        service = Service("a.B", method, version=identity.version, group=identity.group)
        assert sent(identity, rpc) == by_a_stub(service, method)


def test_it_is_what_generated_stubs_resolve(
    explain: Explaining, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["generate"]) == 0
    monkeypatch.setattr(sys, "path", [str(explain.project / "gen"), *sys.path])
    capsys.readouterr()  # the warnings of generate
    module = importlib.import_module("orders_mesh")
    shown = explain.json()["services"]
    for stub in (module.OrdersStub, module.StockStub):
        service: Service = stub.__mesh__
        rpcs = shown[service.name]["rpcs"]
        assert set(rpcs) == set(service.methods)
        for name, method in service.methods.items():
            deadline, headers = by_a_stub(service, method)
            assert rpcs[name]["sent"] == {"deadline": deadline, "headers": dict(headers)}
            assert rpcs[name]["paths"] == [
                method.path,
                *(f"/{service.name}/{alias}" for alias in method.aliases),
            ]
