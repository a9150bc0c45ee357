"""Which headers go by which way: what only a sidecar may see goes to a sidecar only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
import localmesh
from dubbo_mesh import EnvoyHeaders, Target
from tests.addressing.providers import Provider, serving
from tests.calling.echo import EchoAsyncStub, EchoStub

ASKED = EnvoyHeaders(timeout=5, max_retries=2, retry_on="reset", client_trace_id="trace")
ENVOYS = {
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-max-retries",
    "x-envoy-retry-on",
    "x-client-trace-id",
}
FORWARDED = {"x-forwarded-for"}
TARGET = Target("echo", "default", 50051)

Call = Callable[..., None]


def sync_call(channel: Callable[[], Any] | None = None, **arguments: Any) -> None:
    if channel is None:
        with EchoStub(envoy=ASKED, **arguments) as stub:
            stub.unary(StringValue())
    else:
        with channel() as opened:
            EchoStub(opened, envoy=ASKED).unary(StringValue(), **arguments)


def async_call(channel: Callable[[], Any] | None = None, **arguments: Any) -> None:
    async def call() -> None:
        if channel is None:
            async with EchoAsyncStub(envoy=ASKED, **arguments) as stub:
                await stub.unary(StringValue())
        else:
            async with channel() as opened:
                await EchoAsyncStub(opened, envoy=ASKED).unary(StringValue(), **arguments)

    asyncio.run(call())


both = pytest.mark.parametrize("call", [sync_call, async_call])


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Stands for whoever is dialled, and shows the headers that were sent."""
    monkeypatch.setenv("DUBBO_MESH_FORWARDED_FOR", "127.0.0.1")
    monkeypatch.setenv("DUBBO_MESH_APP", "caller")
    monkeypatch.setenv("POD_NAMESPACE", "default")
    with serving(Provider("provider")) as provider:
        yield provider


def seen(provider: Provider) -> set[str]:
    assert provider.headers["tri-consumer-appname"] == "caller"  # by every way
    return {name for name in provider.headers if name in ENVOYS | FORWARDED or name.startswith("x-envoy-")}


@both
def test_to_a_sidecar_all(call: Call, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUBBO_MESH_EGRESS", provider.address)
    call()
    assert seen(provider) == ENVOYS | FORWARDED
    call(connections=2)
    assert seen(provider) == ENVOYS | FORWARDED
    # A channel that we have opened is known to lead to the sidecar.
    call(lambda: (dubbo_mesh if call is sync_call else dubbo_mesh.aio).channel(TARGET))
    assert seen(provider) == ENVOYS | FORWARDED


@both
def test_to_an_address_no_forwarded_for(call: Call, provider: Provider) -> None:
    call(target=provider.address)
    assert seen(provider) == ENVOYS


@both
def test_on_a_channel_of_the_users_no_forwarded_for(
    call: Call, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUBBO_MESH_EGRESS", provider.address)
    call(lambda: (grpc if call is sync_call else grpc.aio).insecure_channel(provider.address))
    assert seen(provider) == ENVOYS


@both
def test_directly_nothing_of_envoys(call: Call, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUBBO_MESH_MODE", "direct")
    monkeypatch.setenv("DUBBO_MESH_DIRECT", f"echo={provider.address}")
    call()
    assert seen(provider) == set()
    opened = (dubbo_mesh if call is sync_call else dubbo_mesh.aio).channel
    call(lambda: opened(TARGET), envoy=EnvoyHeaders(max_retries=3))
    assert seen(provider) == set()
    # What the call's own metadata holds is the caller's business.
    call(lambda: opened(TARGET), metadata=(("x-envoy-max-retries", "1"),))
    assert seen(provider) == {"x-envoy-max-retries"}


def sync_past(target: Target) -> None:
    """Calls until a call succeeds."""
    with EchoStub(target=target, envoy=ASKED) as stub:
        localmesh.wait_until(
            lambda: stub.unary.future(StringValue()).exception() is None, what="a call takes the backup"
        )


def async_past(target: Target) -> None:
    async def call() -> None:
        async with EchoAsyncStub(target=target, envoy=ASKED) as stub:
            while await stub.unary(StringValue()).code() is not grpc.StatusCode.OK:
                await asyncio.sleep(0.02)

    asyncio.run(call())


@pytest.mark.parametrize("past", [sync_past, async_past])
@pytest.mark.parametrize("mode", ["direct", "proxyless"])
def test_past_a_sidecar_that_is_away(
    mode: str,
    past: Callable[[Target], None],
    target: Target,
    provider: Provider,
    control_plane: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DUBBO_MESH_FALLBACK", mode)
    monkeypatch.setenv("DUBBO_MESH_FALLBACK_AFTER", "0")
    monkeypatch.setenv("DUBBO_MESH_DIRECT", f"{target.app}={provider.address}")
    control_plane.serve(target.authority, [provider.address])
    with localmesh.ReservedPort() as nobody:
        monkeypatch.setenv("DUBBO_MESH_EGRESS", nobody.address)
        past(target)
    assert seen(provider) == (set() if mode == "direct" else ENVOYS)


@both
def test_without_a_sidecar_no_forwarded_for(
    call: Call, target: Target, provider: Provider, control_plane: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUBBO_MESH_MODE", "proxyless")
    control_plane.serve(target.authority, [provider.address])
    call(target=target)
    assert not seen(provider) & FORWARDED
    assert seen(provider) == ENVOYS
