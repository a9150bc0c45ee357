"""A stub that dials itself owns its channel: when it closes, and when it must not."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
import localmesh
from dubbo_mesh import Target
from tests.addressing.conftest import Mesh, run_mesh
from tests.addressing.providers import HOLD
from tests.calling.echo import EchoAsyncStub, EchoStub

TARGET = Target("echo", "default", 50051)
RPCS = {"unary", "serverStream", "clientStream", "bidi"}


@pytest.fixture(scope="module")
def shared_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with run_mesh(tmp_path_factory.mktemp("mesh")) as mesh:
        yield mesh


@pytest.fixture
def mesh(shared_mesh: Mesh) -> Mesh:
    """One for all tests of this module, as if new."""
    wait_closed(shared_mesh)
    shared_mesh.provider.entered.clear()
    shared_mesh.provider.release.clear()
    return shared_mesh


@pytest.fixture(params=["plain", "several connections", "fallback", "interceptors"])
def arguments(
    request: pytest.FixtureRequest, egress: Mesh, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Of stubs, whose channel is made in different ways."""
    if request.param == "fallback":
        monkeypatch.setenv("DUBBO_MESH_FALLBACK", "direct")
        monkeypatch.setenv("DUBBO_MESH_DIRECT", f"echo={egress.provider.address}")
    if request.param == "several connections":
        return {"connections": 2}
    if request.param == "interceptors":
        return {"interceptors": [Passing()]}
    return {}


class Passing(grpc.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(client_call_details, request)


class AsyncPassing(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(client_call_details, request)


def for_async(arguments: dict[str, Any]) -> dict[str, Any]:
    return {**arguments, "interceptors": [AsyncPassing()]} if "interceptors" in arguments else arguments


def wait_closed(mesh: Mesh) -> None:
    localmesh.wait_until(lambda: mesh.open_connections() == 0, what="the sidecar has no connection left")


def test_the_end_of_a_with_block_closes(egress: Mesh, arguments: dict[str, Any]) -> None:
    with EchoStub(**arguments) as stub:
        stub.unary(StringValue(), timeout=5)
        assert egress.open_connections() > 0
    wait_closed(egress)
    with pytest.raises(ValueError, match="closed channel"):
        stub.unary(StringValue(), timeout=5)


def test_the_end_of_an_async_with_block_closes(egress: Mesh, arguments: dict[str, Any]) -> None:
    async def run() -> None:
        async with EchoAsyncStub(**for_async(arguments)) as stub:
            await stub.unary(StringValue(), timeout=5)
            assert egress.open_connections() > 0
        await asyncio.to_thread(wait_closed, egress)
        with pytest.raises(grpc.aio.UsageError):
            await stub.unary(StringValue(), timeout=5)

    asyncio.run(run())


def test_a_dropped_stub_closes(egress: Mesh, arguments: dict[str, Any]) -> None:
    stub = EchoStub(**arguments)
    stub.unary(StringValue(), timeout=5)
    del stub
    gc.collect()
    wait_closed(egress)


def test_a_dropped_async_stub_closes(egress: Mesh, arguments: dict[str, Any]) -> None:
    async def run() -> None:
        stub = EchoAsyncStub(**for_async(arguments))
        await stub.unary(StringValue(), timeout=5)
        del stub
        gc.collect()
        await asyncio.to_thread(wait_closed, egress)

    asyncio.run(run())


def unary(stub: EchoStub) -> Callable[[], list[str]]:
    call = stub.unary.future(HOLD, timeout=10)
    return lambda: [call.result().value]


def server_stream(stub: EchoStub) -> Callable[[], list[str]]:
    call = stub.serverStream(HOLD, timeout=10)
    return lambda: [response.value for response in call]


def client_stream(stub: EchoStub) -> Callable[[], list[str]]:
    call = stub.clientStream.future(iter([HOLD]), timeout=10)
    return lambda: [call.result().value]


def bidi(stub: EchoStub) -> Callable[[], list[str]]:
    call = stub.bidi(iter([HOLD]), timeout=10)
    return lambda: [response.value for response in call]


ANSWERS: dict[Callable[[EchoStub], Callable[[], list[str]]], int] = {
    unary: 1,
    server_stream: 2,
    client_stream: 1,
    bidi: 2,
}


@pytest.mark.parametrize("start", list(ANSWERS))
def test_a_call_under_way_outlives_its_stub(
    egress: Mesh, arguments: dict[str, Any], start: Callable[[EchoStub], Callable[[], list[str]]]
) -> None:
    stub = EchoStub(**arguments)
    finish = start(stub)
    assert egress.provider.entered.wait(10)
    del stub
    gc.collect()
    egress.provider.release.set()
    assert finish() == ["provider"] * ANSWERS[start]
    del finish
    gc.collect()
    wait_closed(egress)


async def async_unary(stub: EchoAsyncStub) -> Awaitable[list[str]]:
    call = stub.unary(HOLD, timeout=10)
    return asyncio.ensure_future(_one(call))


async def async_server_stream(stub: EchoAsyncStub) -> Awaitable[list[str]]:
    return asyncio.ensure_future(_all(stub.serverStream(HOLD, timeout=10)))


async def async_client_stream(stub: EchoAsyncStub) -> Awaitable[list[str]]:
    return asyncio.ensure_future(_one(stub.clientStream(iter([HOLD]), timeout=10)))


async def async_bidi(stub: EchoAsyncStub) -> Awaitable[list[str]]:
    return asyncio.ensure_future(_all(stub.bidi(iter([HOLD]), timeout=10)))


async def _one(call: Any) -> list[str]:
    return [(await call).value]


async def _all(call: Any) -> list[str]:
    return [response.value async for response in call]


Start = Callable[[EchoAsyncStub], Awaitable[Awaitable[list[str]]]]
ASYNC_ANSWERS: dict[Start, int] = {
    async_unary: 1,
    async_server_stream: 2,
    async_client_stream: 1,
    async_bidi: 2,
}


@pytest.mark.parametrize("start", list(ASYNC_ANSWERS))
def test_an_async_call_under_way_outlives_its_stub(
    egress: Mesh,
    arguments: dict[str, Any],
    start: Start,
) -> None:
    async def run() -> None:
        stub = EchoAsyncStub(**for_async(arguments))
        finish = await start(stub)
        await asyncio.to_thread(egress.provider.entered.wait, 10)
        del stub
        gc.collect()
        egress.provider.release.set()
        assert await finish == ["provider"] * ASYNC_ANSWERS[start]
        del finish
        gc.collect()
        await asyncio.to_thread(wait_closed, egress)

    asyncio.run(run())


def test_a_bound_callable_is_enough(egress: Mesh, arguments: dict[str, Any]) -> None:
    unary = EchoStub(**arguments).unary
    gc.collect()
    assert unary(StringValue(), timeout=5).value == "provider"


def test_a_bound_async_callable_is_enough(egress: Mesh, arguments: dict[str, Any]) -> None:
    async def run() -> str:
        unary = EchoAsyncStub(**for_async(arguments)).unary
        gc.collect()
        return (await unary(StringValue(), timeout=5)).value

    assert asyncio.run(run()) == "provider"


def test_an_async_call_that_has_not_begun_outlives_its_stub(egress: Mesh, arguments: dict[str, Any]) -> None:
    async def run() -> list[str]:
        # These go out only when the loop has its turn; by then nobody has the stub any more.
        one = EchoAsyncStub(**for_async(arguments)).unary(StringValue(), timeout=5)
        several = EchoAsyncStub(**for_async(arguments)).serverStream(StringValue())
        gc.collect()
        return [(await one).value, *[response.value async for response in several]]

    assert asyncio.run(run()) == ["provider"] * 3
    gc.collect()
    wait_closed(egress)


def test_a_given_channel_stays_open(egress: Mesh) -> None:
    with dubbo_mesh.channel(TARGET) as channel:
        with EchoStub(channel) as stub:
            stub.unary(StringValue(), timeout=5)
        del stub
        gc.collect()
        assert EchoStub(channel).unary(StringValue(), timeout=5).value == "provider"
    wait_closed(egress)


def test_a_given_async_channel_stays_open(egress: Mesh) -> None:
    async def run() -> None:
        async with dubbo_mesh.aio.channel(TARGET) as channel:
            async with EchoAsyncStub(channel) as stub:
                await stub.unary(StringValue(), timeout=5)
            del stub
            gc.collect()
            # As protoc's, the sync stub's class takes an aio channel too.
            async with EchoStub(channel) as stub:
                assert (await stub.unary(StringValue(), timeout=5)).value == "provider"
        await asyncio.to_thread(wait_closed, egress)

    asyncio.run(run())


def test_closing_cuts_the_calls_under_way_as_grpcs_channels_do(egress: Mesh) -> None:
    with EchoStub() as stub:
        call = stub.unary.future(HOLD, timeout=10)
        assert egress.provider.entered.wait(10)
    assert call.code() is grpc.StatusCode.CANCELLED


def test_a_stub_has_no_public_attributes_but_its_rpcs(egress: Mesh) -> None:
    with EchoStub() as stub:
        assert {name for name in dir(stub) if not name.startswith("_")} == RPCS

    async def run() -> None:
        async with EchoAsyncStub() as stub:
            assert {name for name in dir(stub) if not name.startswith("_")} == RPCS

    asyncio.run(run())
