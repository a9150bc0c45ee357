"""Compression, wait_for_ready and channel options work as with any stub of grpc's."""

from __future__ import annotations

import asyncio
import socket
import threading

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.addressing.conftest import Mesh
from tests.addressing.providers import Provider, serving
from tests.calling.echo import EchoAsyncStub, EchoStub

LONG = StringValue(value="long " * 1000)


def received(mesh: Mesh) -> int:
    """Bytes of requests that the sidecar has sent on."""
    return mesh.sidecar.admin.stat("cluster.echo.upstream_cx_tx_bytes_total")


def test_compression_of_one_call_and_of_all(egress: Mesh) -> None:
    with EchoStub() as stub:
        stub.unary(LONG, timeout=5)
        plain = received(egress)
        assert plain > 5000
        stub.unary(LONG, timeout=5, compression=grpc.Compression.Gzip)
        assert received(egress) - plain < 1000
    by_default = [("grpc.default_compression_algorithm", grpc.Compression.Gzip)]
    with EchoStub(options=by_default) as stub:
        before = received(egress)
        stub.unary(LONG, timeout=5)
        assert received(egress) - before < 1000


def test_compression_of_an_async_call(egress: Mesh) -> None:
    async def call() -> None:
        async with EchoAsyncStub() as stub:
            await stub.unary(LONG, timeout=5, compression=grpc.Compression.Gzip)

    asyncio.run(call())
    assert received(egress) < 1000


def test_wait_for_ready_waits_for_a_sidecar_that_comes_up_later(
    egress: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    egress.sidecar.stop()
    with EchoStub() as stub:
        with pytest.raises(grpc.RpcError) as raised:
            stub.unary(StringValue(), timeout=5)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        waiting = stub.unary.future(StringValue(), timeout=20, wait_for_ready=True)
        starting = threading.Thread(target=egress.sidecar.start)
        starting.start()
        assert waiting.result().value == "provider"
        starting.join()


def test_an_async_call_waits_too(egress: Mesh) -> None:
    egress.sidecar.stop()

    async def call() -> str:
        async with EchoAsyncStub() as stub:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await stub.unary(StringValue(), timeout=5)
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
            waiting = stub.unary(StringValue(), timeout=20, wait_for_ready=True)
            await asyncio.to_thread(egress.sidecar.start)
            return (await waiting).value

    assert asyncio.run(call()) == "provider"


def test_a_channel_option_has_its_effect() -> None:
    with serving(Provider("provider")) as provider:
        options = [("grpc.max_send_message_length", 100), ("grpc.primary_user_agent", "shop/1")]
        with EchoStub(target=provider.address, options=options) as stub:
            stub.unary(StringValue(), timeout=5)
            assert str(provider.headers["user-agent"]).startswith("shop/1 grpc-python")
            with pytest.raises(grpc.RpcError) as raised:
                stub.unary(LONG, timeout=5)
            assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_the_sidecar_is_sought_again_every_second_or_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """grpc's own backoff grows to two minutes: a sidecar that was long away would be so for its app too."""
    with socket.create_server(("127.0.0.1", 0)) as sidecar:
        monkeypatch.setenv("DUBBO_MESH_EGRESS", f"127.0.0.1:{sidecar.getsockname()[1]}")
        # Ours grow from 0.1 s by 1.6 to 1 s; grpc's own would be 21 s and more after the eighth attempt.
        sidecar.settimeout(15)
        with EchoStub() as stub:
            call = stub.unary.future(StringValue(), wait_for_ready=True)
            for _ in range(9):
                sidecar.accept()[0].close()
            call.cancel()
