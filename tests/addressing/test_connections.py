"""How many connections a stub opens, and how its calls are spread over them."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
from tests.addressing.conftest import Mesh
from tests.calling.echo import EchoAsyncStub, EchoStub

CALLS = 12


def calls_by_connection(mesh: Mesh) -> list[int]:
    entries = mesh.sidecar.egress_log.wait_for(CALLS)
    return sorted(Counter(entry["downstream_connection"] for entry in entries).values())


@pytest.mark.parametrize(("connections", "spread"), [(1, [12]), (3, [4, 4, 4])])
def test_calls_go_over_the_connections_in_turn(egress: Mesh, connections: int, spread: list[int]) -> None:
    with EchoStub(connections=connections) as stub:
        for _ in range(CALLS):
            stub.unary(StringValue(), timeout=5)
        assert egress.connections() == connections
    assert calls_by_connection(egress) == spread


@pytest.mark.parametrize(("connections", "spread"), [(1, [12]), (3, [4, 4, 4])])
def test_async_calls_go_over_the_connections_in_turn(
    egress: Mesh, connections: int, spread: list[int]
) -> None:
    async def call() -> None:
        async with EchoAsyncStub(connections=connections) as stub:
            await asyncio.gather(*(stub.unary(StringValue(), timeout=5) for _ in range(CALLS)))

    asyncio.run(call())
    assert egress.connections() == connections
    assert calls_by_connection(egress) == spread


def test_all_shapes_are_spread(egress: Mesh) -> None:
    with EchoStub(connections=2) as stub:
        for _ in range(3):
            stub.unary.with_call(StringValue(), timeout=5)
            stub.unary.future(StringValue(), timeout=5).result()
            list(stub.serverStream(StringValue(), timeout=5))
            stub.clientStream(iter([StringValue()]), timeout=5)
    assert calls_by_connection(egress) == [6, 6]


def test_stubs_share_a_channel_that_they_are_given(egress: Mesh) -> None:
    with dubbo_mesh.channel(dubbo_mesh.Target("echo", port=50051), connections=2) as channel:
        for stub in (EchoStub(channel), EchoStub(channel)):
            for _ in range(CALLS // 2):
                stub.unary(StringValue(), timeout=5)
    assert egress.connections() == 2
    assert calls_by_connection(egress) == [6, 6]


def test_async_stubs_share_a_channel_that_they_are_given(egress: Mesh) -> None:
    async def call() -> None:
        target = dubbo_mesh.Target("echo", port=50051)
        async with dubbo_mesh.aio.channel(target, connections=2) as channel:
            for stub in (EchoAsyncStub(channel), EchoAsyncStub(channel)):
                for _ in range(CALLS // 2):
                    await stub.unary(StringValue(), timeout=5)

    asyncio.run(call())
    assert egress.connections() == 2
    assert calls_by_connection(egress) == [6, 6]


def test_grpc_shares_one_connection_among_single_connection_stubs_to_one_address(egress: Mesh) -> None:
    with ExitStack() as stack:
        for stub in [stack.enter_context(EchoStub()) for _ in range(3)]:
            stub.unary(StringValue(), timeout=5)
        assert egress.connections() == 1


@pytest.mark.parametrize("connections", [0, -1])
def test_there_must_be_a_connection(egress: Mesh, connections: int) -> None:
    with pytest.raises(ValueError, match="connections"):
        EchoStub(connections=connections)


@pytest.mark.parametrize(
    "how",
    [
        {"target": "127.0.0.1:1"},
        {"credentials": dubbo_mesh.channel},
        {"options": [("grpc.primary_user_agent", "me")]},
        {"connections": 2},
        {"interceptors": [object()]},
    ],
    ids=lambda how: next(iter(how)),
)
def test_what_says_how_to_open_a_channel_does_not_go_with_one(egress: Mesh, how: dict[str, object]) -> None:
    with (
        dubbo_mesh.channel("127.0.0.1:1") as channel,
        pytest.raises(TypeError, match="how to open a channel"),
    ):
        EchoStub(channel, **how)  # type: ignore[call-overload]

    async def make() -> None:
        async with dubbo_mesh.aio.channel("127.0.0.1:1") as channel:
            with pytest.raises(TypeError, match="how to open a channel"):
                EchoAsyncStub(channel, **how)  # type: ignore[arg-type]

    asyncio.run(make())
