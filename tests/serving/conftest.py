"""Servers for the tests of this directory, on threads or on asyncio, behind one handle."""

from __future__ import annotations

import asyncio
import http.client
import inspect
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from typing import Any, Literal, TypeVar, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import dubbo_mesh
import dubbo_mesh.aio
from tests.calling.echo import EchoStub
from tests.serving.providers import AsyncProvider, Provider

Kind = Literal["sync", "aio"]
T = TypeVar("T")

STATUS = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class LoopThread:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float = 30) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def close(self) -> None:
        # A task that is dropped with its loop says so in the log, of whichever test runs by then.
        self.run(self._finish_tasks())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _finish_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=1)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        await self.loop.shutdown_asyncgens()


class Running:
    """A server that has been made, and can be started and drained, whatever its kind."""

    def __init__(self, kind: Kind, loop: LoopThread | None, *servicers: object, **settings: Any) -> None:
        self.kind = kind
        self._loop = loop
        arguments: dict[str, Any] = {
            "address": "127.0.0.1:0",
            "probes": "off",
            "sidecar": "off",
            "drain": 0,
            "grace": 5,
        } | settings
        self.server: Any
        if loop is None:
            self.server = dubbo_mesh.Server(*(servicers or (Provider(),)), **arguments)
        else:

            async def make() -> dubbo_mesh.aio.Server:
                return dubbo_mesh.aio.Server(*(servicers or (AsyncProvider(),)), **arguments)

            self.server = loop.run(make())
        self._channels: list[grpc.Channel] = []

    def call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        """Calls a method of the server where it lives, and waits for its result."""
        bound = getattr(self.server, method)
        if self._loop is None:
            return bound(*arguments, **keywords)
        if inspect.iscoroutinefunction(bound):
            return self._loop.run(bound(*arguments, **keywords))

        async def on_loop() -> Any:
            return bound(*arguments, **keywords)

        return self._loop.run(on_loop())

    def start(self) -> Running:
        self.call("start")
        return self

    def drain(self) -> None:
        self.call("drain")

    def drain_in_background(self) -> threading.Thread:
        thread = threading.Thread(target=self.drain)
        thread.start()
        return thread

    @property
    def port(self) -> int:
        return int(self.server.ports[0])

    def channel(self) -> grpc.Channel:
        self._channels.append(grpc.insecure_channel(f"127.0.0.1:{self.port}"))
        return self._channels[-1]

    def stub(self) -> EchoStub:
        return EchoStub(self.channel())

    def health(self) -> Health:
        return Health(self.channel())

    def probe(self, path: str) -> tuple[int, str]:
        return probe(self.server.probes_port, path)

    def close(self) -> None:
        for channel in self._channels:
            channel.close()
        self.call("stop", None)


class Health:
    """What a health service says, in words."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.stub: Any = health_pb2_grpc.HealthStub(channel)

    def check(self, service: str = "") -> str:
        return STATUS[self.stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status]

    def watch(self, service: str = "") -> Iterator[str]:
        call = self.stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=20)
        return (STATUS[response.status] for response in call)

    def list(self) -> dict[str, str]:
        messages: Any = health_pb2  # the types are older than List
        response = self.stub.List(messages.HealthListRequest(), timeout=5)
        return {name: STATUS[status.status] for name, status in response.statuses.items()}


def probe(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    """Asks a probe; returns the status and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def accepts(port: int) -> bool:
    """Whether connections to a port of this host are accepted."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADMIN", "PROBES", "DRAIN", "MODE"):
        monkeypatch.delenv(f"DUBBO_MESH_{name}", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


@pytest.fixture(params=["sync", "aio"])
def kind(request: pytest.FixtureRequest) -> Kind:
    return cast("Kind", request.param)


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture
def make(kind: Kind, loop: LoopThread) -> Iterator[Callable[..., Running]]:
    """Makes servers that are not started yet, of either kind."""
    with ExitStack() as stack:

        def make(*servicers: object, **settings: Any) -> Running:
            running = Running(kind, loop if kind == "aio" else None, *servicers, **settings)
            stack.callback(running.close)
            return running

        yield make


@pytest.fixture
def serve(make: Callable[..., Running]) -> Callable[..., Running]:
    """Makes and starts servers of either kind."""

    def serve(*servicers: object, **settings: Any) -> Running:
        return make(*servicers, **settings).start()

    return serve
