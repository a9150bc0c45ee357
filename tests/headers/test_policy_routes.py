"""Stubs generated with `policy=routes` send deadlines, and leave timeouts and retries to the routes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from dubbo_mesh import EnvoyHeaders
from tests.generator.compiling import generate, protoc
from tests.generator.goldens import GOLDEN, Case
from tests.headers.wire import Headers, WireServer

CASE = Case(GOLDEN / "python_routes")
MODULE = "python_routes_mesh.py"

Call = Callable[[Any, Any], object]

CALLS: dict[str, Call] = {
    "unary": lambda stub, order: stub.Place(order),
    "unary without a policy": lambda stub, order: stub.Wait(order),
    "server stream": lambda stub, order: list(stub.Find(order)),
    "client stream": lambda stub, order: stub.Upload(iter([order])),
    "bidirectional stream": lambda stub, order: list(stub.Chat(iter([order]))),
    "a timeout of the call": lambda stub, order: stub.Wait(order, timeout=7),
    "a stream with a timeout of the call": lambda stub, order: list(stub.Chat(iter([order]), timeout=7)),
}
WITH_DEADLINE = {
    "unary",
    "client stream",
    "a timeout of the call",
    "a stream with a timeout of the call",
}


@pytest.fixture(scope="module")
def server() -> Iterator[WireServer]:
    with WireServer() as server:
        environment = {"DUBBO_MESH_EGRESS": server.address, "POD_NAMESPACE": "default"}
        with mock.patch.dict(os.environ, environment):
            yield server


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    """The module of the golden, by the parameter `policy`."""
    directory = tmp_path_factory.mktemp("messages")
    protoc(CASE.directory, f"--python_out={directory}", *CASE.protos)
    found: dict[str, ModuleType] = {}
    with mock.patch.object(sys, "path", [str(directory), *sys.path]):
        for policy in ("headers", "routes"):
            module = ModuleType(f"by_{policy}")
            sys.modules[module.__name__] = module
            code = generate(CASE.descriptors, CASE.protos, f"policy={policy}").files[MODULE]
            exec(code, module.__dict__)
            found[policy] = module
    return found


def sent(module: ModuleType, call: Call, server: WireServer) -> Headers:
    with module.OrdersStub() as stub:
        call(stub, module.python_routes_pb2.Order())
    return server.requests[-1]


def for_envoy(request: Headers) -> dict[str, str]:
    return {name: value for name, value in request if name.startswith("x-envoy-")}


@pytest.mark.parametrize("name", CALLS)
def test_no_header_is_about_timeouts_or_retries(
    name: str, generated: dict[str, ModuleType], server: WireServer
) -> None:
    request = sent(generated["routes"], CALLS[name], server)
    assert ("grpc-timeout" in dict(request)) == (name in WITH_DEADLINE)
    operation = {"x-envoy-decorator-operation": "find orders"} if name == "server stream" else {}
    assert for_envoy(request) == operation


@pytest.mark.parametrize("name", CALLS)
def test_with_policy_headers_there_are_some(
    name: str, generated: dict[str, ModuleType], server: WireServer
) -> None:
    request = sent(generated["headers"], CALLS[name], server)
    assert ("grpc-timeout" in dict(request)) == (name in WITH_DEADLINE)
    assert "x-envoy-upstream-rq-timeout-ms" in for_envoy(request)
    assert ("x-envoy-max-retries" in for_envoy(request)) == (name == "unary")


def test_the_async_stub_sends_the_same(generated: dict[str, ModuleType], server: WireServer) -> None:
    module = generated["routes"]
    order = module.python_routes_pb2.Order()

    async def call() -> None:
        async with module.OrdersAsyncStub() as stub:
            await stub.Place(order)

    asyncio.run(call())
    assert "grpc-timeout" in dict(server.requests[-1])
    assert for_envoy(server.requests[-1]) == {}


def test_a_call_can_still_ask_for_more(generated: dict[str, ModuleType], server: WireServer) -> None:
    request = sent(
        generated["routes"],
        lambda stub, order: stub.Place(order, envoy=EnvoyHeaders(max_retries=1, retry_on="reset")),
        server,
    )
    assert for_envoy(request) == {"x-envoy-max-retries": "1", "x-envoy-retry-on": "reset"}
