"""Calls that come while a server starts: they wait, as they would for a port that is not yet listened on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import localmesh
from dubbo_mesh._health.registration import board_of
from dubbo_mesh._serving.handlers import Handlers, own
from dubbo_mesh._serving.traffic import Traffic
from tests.calling.echo import ECHO, EchoStub
from tests.serving.conftest import Health, LoopThread
from tests.serving.providers import AsyncProvider, Provider

HOWS = ("sync", "aio", "sync on aio")
ONE = StringValue(value="x")


class Held:
    """A server whose calls are held, and a channel to it."""

    def __init__(self, how: str, stack: ExitStack, interceptors: list[Any]) -> None:
        self.traffic = Traffic(held=True)
        handlers = Handlers(self.traffic, asynchronous=how != "sync", strict_routing=False)
        servicer = AsyncProvider() if how == "aio" else Provider()
        around = handlers.around(interceptors)
        pool = ThreadPoolExecutor(2)
        stack.callback(pool.shutdown)

        def fill(server: Any) -> int:
            own(server, handlers)
            board_of(server)
            dubbo_mesh.add_servicer(servicer, server, ECHO)
            port: int = server.add_insecure_port("127.0.0.1:0")
            return port

        if how == "sync":
            server = Taking(handlers, grpc.server(pool, handlers=[handlers], interceptors=around))
            port = fill(server)
            server.start()
            stack.callback(server.stop, None)
        else:
            loop = LoopThread()
            stack.callback(loop.close)

            async def start() -> tuple[Any, int]:
                inner = grpc.aio.server(pool, handlers=[handlers], interceptors=around)
                server = AsyncTaking(handlers, inner)
                port = fill(server)
                await server.start()
                return server, port

            server, port = loop.run(start())
            stack.callback(lambda: loop.run(server.stop(None)))
        self.channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
        self.stub = EchoStub(self.channel)

    def wait_for_calls(self, number: int) -> None:
        waiting: Any = self.traffic
        localmesh.wait_until(lambda: len(waiting._waiting) >= number, what="calls are held")


class Taking(grpc.Server):
    """As much of a server of ours as there is to its handlers."""

    def __init__(self, handlers: Handlers, server: Any) -> None:
        self._handlers = handlers
        self._server = server

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Any) -> None:
        self._handlers.extend(generic_rpc_handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Any) -> None:
        self._handlers.register(service_name, method_handlers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def add_insecure_port(self, address: str) -> int:
        port: int = self._server.add_insecure_port(address)
        return port

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        raise NotImplementedError

    def start(self) -> Any:
        return self._server.start()

    def stop(self, grace: float | None) -> Any:
        return self._server.stop(grace)


class AsyncTaking(Taking, grpc.aio.Server):  # type: ignore[misc]
    """The same of grpc.aio."""


@pytest.fixture(params=HOWS)
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def held(how: str) -> Iterator[Held]:
    with ExitStack() as stack:
        yield Held(how, stack, [])


def test_are_answered_when_the_server_serves(held: Held) -> None:
    unary = held.stub.unary.future(ONE, timeout=20)
    stream: Any = held.stub.serverStream(ONE, timeout=20)
    held.wait_for_calls(2)
    assert not unary.done()
    held.traffic.release()
    assert unary.result() == ONE
    assert [each.value for each in stream] == ["x"] * 3
    assert held.stub.unary(ONE, timeout=20) == ONE


def test_end_as_unavailable_if_it_never_does(held: Held) -> None:
    unary = held.stub.unary.future(ONE, timeout=20)
    stream: Any = held.stub.bidi(iter([ONE]), timeout=20)
    held.wait_for_calls(2)
    held.traffic.release(refused=True)
    for call in (unary, stream):
        assert call.code() is grpc.StatusCode.UNAVAILABLE
        assert call.details() == "the server did not start"


def test_are_refused_as_well_when_they_come_too_late_to_wait(held: Held) -> None:
    held.traffic.release(refused=True)
    held.traffic.release()  # what comes later changes nothing
    with pytest.raises(grpc.RpcError, match="the server did not start"):
        held.stub.unary(ONE, timeout=20)
    with pytest.raises(grpc.RpcError, match="the server did not start"):
        list(held.stub.serverStream(ONE, timeout=20))
    assert Health(held.channel).check() == "SERVING"


def test_health_is_answered_all_the_same(held: Held) -> None:
    calls = [held.stub.unary.future(ONE, timeout=20) for _ in range(4)]
    held.wait_for_calls(2)
    assert Health(held.channel).check() == "SERVING"
    held.traffic.release()
    assert [call.result() for call in calls] == [ONE] * 4


def test_a_caller_that_goes_frees_its_thread() -> None:
    with ExitStack() as stack:
        held = Held("sync", stack, [])
        gone = [held.stub.unary.future(ONE, timeout=20) for _ in range(2)]
        held.wait_for_calls(2)
        for call in gone:
            call.cancel()
        kept = held.stub.unary.future(ONE, timeout=20)
        held.wait_for_calls(3)
        held.traffic.release()
        assert kept.result() == ONE


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_interceptors_are_not_called_before(kind: str) -> None:
    seen: list[str] = []

    class Sync(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            handler = continuation(handler_call_details)

            def respond(request: Any, context: Any) -> Any:
                seen.append("called")
                return handler.unary_unary(request, context)

            return handler._replace(unary_unary=respond)

    class Async(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            handler = await continuation(handler_call_details)

            async def respond(request: Any, context: Any) -> Any:
                seen.append("called")
                return await handler.unary_unary(request, context)

            return handler._replace(unary_unary=respond)

    with ExitStack() as stack:
        held = Held(kind, stack, [Sync() if kind == "sync" else Async()])
        call = held.stub.unary.future(ONE, timeout=20)
        held.wait_for_calls(1)
        assert seen == []
        held.traffic.release()
        assert call.result() == ONE
        assert seen == ["called"]
