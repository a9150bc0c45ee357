"""Providers and sidecars for the tests of this directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2_grpc

import demo_mesh
import localmesh
from tests import sidecars

Handler = Callable[[bytes, grpc.ServicerContext], bytes]
SERVICE = "facts.Echo"


@dataclass
class Provider:
    """A plain grpc server whose one method, `/facts.Echo/call`, records what it receives.

    `answer` says what the method does; `received` has the metadata of each run of it.
    """

    address: str
    health: health.HealthServicer
    answer: Handler
    received: list[dict[str, str | bytes]] = field(default_factory=list[dict[str, str | bytes]])


@dataclass
class Consumer:
    """Calls `/facts.Echo/call` through a sidecar's egress, with exactly the metadata given."""

    channel: grpc.Channel

    def call(self, *metadata: tuple[str, str], timeout: float = 5.0) -> bytes:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(f"/{SERVICE}/call")
        return method(b"request", metadata=metadata, timeout=timeout)

    def failure(self, *metadata: tuple[str, str], timeout: float = 5.0) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as raised:
            self.call(*metadata, timeout=timeout)
        return raised.value


def echo(request: bytes, context: grpc.ServicerContext) -> bytes:
    return request


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is generated from the greeter example: messages, protoc's stubs and ours."""
    directory = tmp_path_factory.mktemp("generated")
    demo_mesh.generate(directory)
    return directory


@pytest.fixture
def provider() -> Iterator[Provider]:
    with localmesh.ReservedPort() as port, ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool)
        provider = Provider(port.address, health.HealthServicer(), echo)

        def call(request: bytes, context: grpc.ServicerContext) -> bytes:
            provider.received.append(dict(context.invocation_metadata()))
            return provider.answer(request, context)

        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(call)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"call": handler}),))
        health_pb2_grpc.add_HealthServicer_to_server(provider.health, server)  # pyright: ignore[reportUnknownMemberType]
        server.add_insecure_port(port.address)
        server.start()
        yield provider
        server.stop(grace=0).wait()


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Callable[..., sidecars.Sidecar]]:
    """Makes started sidecars: `sidecar(name, ingress=…, egress=…)`; pytest keeps their logs."""
    started: list[sidecars.Sidecar] = []

    def start(name: str, **arguments: Any) -> sidecars.Sidecar:
        started.append(sidecars.Sidecar(name, directory=tmp_path / name, **arguments))
        started[-1].start()
        return started[-1]

    yield start
    for each in reversed(started):
        each.close()


@pytest.fixture
def consumer() -> Iterator[Callable[..., Consumer]]:
    """Makes consumers: `consumer(egress address, authority)`."""
    channels: list[grpc.Channel] = []

    def connect(address: str, authority: str = "echo.default.svc.cluster.local:80") -> Consumer:
        options = [("grpc.default_authority", authority), ("grpc.use_local_subchannel_pool", 1)]
        channels.append(grpc.insecure_channel(address, options=options))
        return Consumer(channels[-1])

    yield connect
    for channel in channels:
        channel.close()
