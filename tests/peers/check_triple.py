"""Calls between us and Dubbo's own Triple, both ways. Run by `make peers`: it installs from npm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from subprocess import Popen
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests.calling.chain import on_aio, on_threads
from tests.calling.echo import (
    ECHO,
    EchoAsyncServicer,
    EchoAsyncStub,
    EchoServicer,
    EchoStub,
)
from tests.triple.google_rpc import code_pb2, error_details_pb2, rpc_status, status_pb2

Peer = Callable[..., Popen[str]]


def texts(responses: list[StringValue]) -> list[str]:
    return [response.value for response in responses]


def two() -> list[StringValue]:
    return [StringValue(value="one"), StringValue(value="two")]


@contextmanager
def serving(peer: Peer, *arguments: str) -> Generator[str]:
    """The address of a provider in Node.js."""
    with peer("serve", *arguments) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.fixture(scope="module")
def provider(peer: Peer) -> Iterator[str]:
    with serving(peer) as address:
        yield address


class TestTheirProvider:
    def test_all_shapes(self, provider: str) -> None:
        with EchoStub(target=provider) as stub:
            assert json.loads(stub.unary(StringValue(), timeout=5).value)
            assert texts(list(stub.serverStream(StringValue(value="x"), timeout=5)))[1:] == ["x"]
            assert stub.clientStream(iter(two()), timeout=5).value == "one two"
            assert texts(list(stub.bidi(iter(two()), timeout=5))) == ["one!", "two!"]

    def test_all_shapes_with_asyncio(self, provider: str) -> None:
        async def call() -> list[Any]:
            async with EchoAsyncStub(target=provider) as stub:
                return [
                    (await stub.unary(StringValue(), timeout=5)).value,
                    [each.value async for each in stub.serverStream(StringValue(value="x"), timeout=5)][1:],
                    (await stub.clientStream(iter(two()), timeout=5)).value,
                    [each.value async for each in stub.bidi(iter(two()), timeout=5)],
                ]

        assert asyncio.run(call())[1:] == [["x"], "one two", ["one!", "two!"]]

    def test_attachments_both_ways(self, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DUBBO_MESH_APP", "python-shop")
        attached = dubbo_mesh.attachments({"userId": "42", "Blob": b"\0\1\xff", "dubbo.tag": "gray"})
        with EchoStub(target=provider) as stub:
            response, call = stub.unary.with_call(StringValue(), timeout=5, metadata=attached)
        received = json.loads(response.value)
        assert received["tri-consumer-appname"] == "python-shop"
        assert received["dubbo.tag"] == "gray"
        assert received["userid"] == "42"
        assert received["blob-bin"].rstrip("=") == "AAH/"
        assert dubbo_mesh.read_attachments(call.initial_metadata())["server-node"] == "node 1"
        assert dubbo_mesh.read_attachments(call.trailing_metadata())["cost"] == "3"

    def test_error_details(self, provider: str) -> None:
        with EchoStub(target=provider) as stub, pytest.raises(grpc.RpcError) as raised:
            stub.unary(StringValue(value="fail"), timeout=5)
        details = dubbo_mesh.error_details(raised.value)
        assert details is not None
        assert details.code == code_pb2.NOT_FOUND
        assert details.message == "no user 'Zoë'"
        assert details.debug_info == dubbo_mesh.DebugInfo(("peer.js:1",), "on purpose")

    def test_version_and_group_select_the_service(self, peer: Peer) -> None:
        class Versioned(EchoStub):
            __mesh__ = dubbo_mesh.Service(
                ECHO.name, *ECHO.methods.values(), app="echo", version="1.2", group="blue"
            )

        with serving(peer, "1.2", "blue") as address:
            with Versioned(target=address) as versioned:
                assert (
                    json.loads(versioned.unary(StringValue(), timeout=5).value)["tri-service-group"] == "blue"
                )
            with EchoStub(target=address) as stub, pytest.raises(grpc.RpcError) as raised:
                stub.unary(StringValue(), timeout=5)
        assert isinstance(raised.value, grpc.Call)
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


class Provider(EchoServicer):
    """Answers as peer.js does."""

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        if request.value == "fail":
            context.abort_with_status(rpc_status.to_status(failure()))
        asked = dubbo_mesh.current_request()
        assert asked is not None
        context.send_initial_metadata(dubbo_mesh.attachments({"serverNode": "n1"}))
        context.set_trailing_metadata(dubbo_mesh.attachments({"cost": "3"}))
        return StringValue(value=told(asked))

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        yield request
        yield request

    def clientStream(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> StringValue:
        return StringValue(value=" ".join(request.value for request in request_iterator))

    def bidi(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> Iterator[StringValue]:
        for request in request_iterator:
            yield StringValue(value=f"{request.value}!")


class AsyncProvider(EchoAsyncServicer):
    """The same, for asyncio."""

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        if request.value == "fail":
            status = rpc_status.to_status(failure())
            await context.abort(status.code, status.details, status.trailing_metadata)
        asked = dubbo_mesh.current_request()
        assert asked is not None
        await context.send_initial_metadata(dubbo_mesh.attachments({"serverNode": "n1"}))
        context.set_trailing_metadata(dubbo_mesh.attachments({"cost": "3"}))
        return StringValue(value=told(asked))

    async def serverStream(
        self, request: StringValue, context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        yield request
        yield request

    async def clientStream(
        self, request_iterator: AsyncIterator[StringValue], context: dubbo_mesh.aio.ServicerContext
    ) -> StringValue:
        return StringValue(value=" ".join([request.value async for request in request_iterator]))

    async def bidi(
        self, request_iterator: AsyncIterator[StringValue], context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        async for request in request_iterator:
            yield StringValue(value=f"{request.value}!")


def failure() -> Any:
    status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="no user 'Zoë'")
    status.details.add().Pack(error_details_pb2.DebugInfo(stack_entries=["provider.py:1"]))
    return status


def told(asked: dubbo_mesh.RequestContext) -> str:
    blob = asked.attachments["blob"]
    assert isinstance(blob, bytes)
    return json.dumps(
        [
            asked.caller_app,
            asked.dubbo_tag,
            asked.attachments["userId"],
            blob.hex(),
            0 < (asked.time_remaining() or 0) <= 5.1,
        ]
    )


@pytest.mark.parametrize(
    "serve", [lambda: on_threads(Provider()), lambda: on_aio(AsyncProvider())], ids=["sync", "aio"]
)
def test_their_consumer_calls_ours(peer: Peer, serve: Any) -> None:
    with serve() as address, peer("call", address) as process:
        printed, _ = process.communicate(timeout=30)
    result = json.loads(printed)
    assert json.loads(result["unary"]) == ["node-shop", "gray", "42", "0001ff", True]
    assert result["serverStream"] == ["hello", "hello"]
    assert result["clientStream"] == "one two"
    assert result["bidi"] == ["one!", "two!"]
    assert result["headers"]["servernode"] == "n1"
    assert result["headers"]["tri-header-convert"] == "%7B%22servernode%22%3A%22serverNode%22%7D"
    assert result["trailers"]["cost"] == "3"
    assert result["error"] == {
        "code": code_pb2.NOT_FOUND,
        "message": "no user 'Zoë'",
        "stack": ["provider.py:1"],
    }
