"""Stubs on channels that are not grpc's: they are given what grpc documents, and nothing else."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh import EnvoyHeaders
from tests.calling.echo import EchoAsyncStub, EchoStub

HELLO, REPLY = StringValue(value="hello"), StringValue(value="reply")


class TestGrpcTesting:
    """The channel of the package `grpcio-testing`, which has no types."""

    @pytest.fixture
    def channel(self) -> Any:
        grpc_testing: Any = importlib.import_module("grpc_testing")
        return grpc_testing.channel((), grpc_testing.strict_real_time())

    def call(self, use: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(use()))
        thread.start()
        return thread, answers

    @pytest.mark.parametrize("timeout", [None, 5])
    def test_unary(self, channel: Any, timeout: float | None) -> None:
        stub = EchoStub(channel, envoy=EnvoyHeaders(max_retries=2))
        method = _Method("/test.Echo/unary")
        for call in (
            lambda: stub.unary(HELLO, timeout=timeout),
            lambda: stub.unary.with_call(HELLO, timeout=timeout)[0],
            lambda: stub.unary.future(HELLO, timeout=timeout).result(),
        ):
            thread, answers = self.call(call)
            metadata, request, rpc = channel.take_unary_unary(method)
            assert request == HELLO
            assert ("x-envoy-max-retries", "2") in metadata
            rpc.terminate(REPLY, (), grpc.StatusCode.OK, "")
            thread.join(10)
            assert answers == [REPLY]

    @pytest.mark.parametrize("timeout", [None, 5])
    def test_streams(self, channel: Any, timeout: float | None) -> None:
        stub = EchoStub(channel)
        responses = stub.serverStream(HELLO, timeout=timeout)
        _, request, rpc = channel.take_unary_stream(_Method("/test.Echo/serverStream"))
        assert request == HELLO
        rpc.send_response(REPLY)
        rpc.terminate((), grpc.StatusCode.OK, "")
        assert list(responses) == [REPLY]
        bidi = stub.bidi(iter([HELLO]), timeout=timeout)
        _, rpc = channel.take_stream_stream(_Method("/test.Echo/bidi"))
        assert rpc.take_request() == HELLO
        rpc.requests_closed()
        rpc.terminate((), grpc.StatusCode.NOT_FOUND, "as asked")
        with pytest.raises(grpc.RpcError):
            next(bidi)


class _Method:
    """All that grpc_testing wants of a method's descriptor."""

    def __init__(self, path: str) -> None:
        _, service, self.name = path.split("/")
        self.containing_service = type("Service", (), {"full_name": service})


class Documented:
    """A channel of somebody's, with the parameters that grpc documents; answers with what it was given."""

    def unary_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None
    ) -> Any:
        def call(
            request: Any, timeout: float | None = None, metadata: Any = None, **more: Any
        ) -> tuple[float | None, dict[str, Any], dict[str, Any]]:
            return timeout, dict(metadata or ()), more

        return call

    unary_stream = stream_unary = stream_stream = unary_unary


WAYS = ["unary", "serverStream", "clientStream", "bidi"]


@pytest.mark.parametrize("rpc", WAYS)
@pytest.mark.parametrize("make", [EchoStub, EchoAsyncStub])
def test_only_what_is_set_is_given_to_a_channel(make: Any, rpc: str) -> None:
    call = getattr(make(Documented()), rpc)
    timeout, metadata, more = call(HELLO)
    assert (timeout, more) == (None, {})
    timeout, metadata, more = call(HELLO, timeout=3, wait_for_ready=True, metadata=(("a", "b"),))
    assert (timeout, more) == (3, {"wait_for_ready": True})
    assert metadata == {"x-envoy-upstream-rq-timeout-ms": "3100", "a": "b"}
    _, _, more = call(HELLO, compression=grpc.Compression.Gzip)
    assert more == {"compression": grpc.Compression.Gzip}


@pytest.mark.parametrize("make", [EchoStub, EchoAsyncStub])
def test_an_argument_of_the_wrong_kind_says_what_is_right(make: Any) -> None:
    with pytest.raises(TypeError, match=r"pass an address as target='h:1'"):
        make("h:1")
    with pytest.raises(TypeError, match=r"target=Target\("):
        make(dubbo_mesh.Target("echo", "default", 1))
    with pytest.raises(TypeError, match="channel must be a channel of grpc, not int"):
        make(42)
    with pytest.raises(TypeError, match=r"envoy must be a dubbo_mesh\.EnvoyHeaders, not dict"):
        make(Documented(), envoy={"timeout": 1})
    with pytest.raises(TypeError, match=r"envoy must be a dubbo_mesh\.EnvoyHeaders, not dict"):
        make(Documented()).unary(HELLO, envoy={"timeout": 1})


def test_an_async_stub_names_itself_where_no_loop_is_running() -> None:
    with pytest.raises(RuntimeError, match=r"call EchoAsyncStub\(\) in a coroutine"):
        EchoAsyncStub(target="127.0.0.1:1")


def test_channels_of_the_other_kind() -> None:
    async def run() -> None:
        async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:

            class Sync(dubbo_mesh.SyncStub):
                __mesh__ = EchoStub.__mesh__

            with pytest.raises(TypeError, match="Sync has no async twin"):
                Sync(channel)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # that is it

    asyncio.run(run())
    with (
        grpc.insecure_channel("127.0.0.1:1") as channel,
        pytest.raises(TypeError, match=r"EchoAsyncStub needs a channel of grpc\.aio"),
    ):
        EchoAsyncStub(channel)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # that is it
