"""A generated servicer that Envoy itself calls by either of its gRPC clients, as an ext_authz filter does."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import grpc
import grpc.aio
import pytest
from google.protobuf.compiler import plugin_pb2
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
from tests import sidecars
from tests.calling.echo import EchoStub
from tests.headers.bench import EDGE, INTERNAL, Attempt, Bench, echo
from tests.headers.wire import WireServer
from tests.sidecars.config import cluster, typed

Client = Literal["envoy_grpc", "google_grpc"]

PROTO = "envoy/service/auth/v3/external_auth.proto"
TIMEOUT = 1.0


@dataclass(frozen=True)
class Seen:
    """What a handler read of the request it served."""

    caller_app: str | None
    remaining: float | None
    expected_timeout: float | None
    internal: bool
    external_address: str | None
    forwarded_for: str | None
    attachments: dict[str, str | bytes]

    @classmethod
    def here(cls) -> Seen:
        request = dubbo_mesh.current_request()
        assert request is not None
        forwarded_for = dict(request.metadata).get("x-forwarded-for")
        return cls(
            request.caller_app,
            request.time_remaining(),
            request.expected_timeout,
            request.internal,
            request.external_address,
            None if forwarded_for is None else str(forwarded_for),
            dict(request.attachments),
        )


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """What the plugin makes of Envoy's own proto, which is at hand in its compiled form only."""
    request = plugin_pb2.CodeGeneratorRequest(file_to_generate=[PROTO])

    def add(file: Any) -> None:
        if all(file.name != each.name for each in request.proto_file):
            for dependency in file.dependencies:
                add(dependency)
            file.CopyToProto(request.proto_file.add())

    add(import_module("envoy.service.auth.v3.external_auth_pb2").DESCRIPTOR)
    plugin = subprocess.run(
        [sys.executable, "-m", "protoc_gen_dubbo_mesh"],
        input=request.SerializeToString(),
        stdout=subprocess.PIPE,
        check=True,
    )
    response = plugin_pb2.CodeGeneratorResponse.FromString(plugin.stdout)
    assert not response.error
    module = ModuleType("external_auth_mesh")
    exec(compile(response.file[0].content, response.file[0].name, "exec"), module.__dict__)
    return module


@contextmanager
def authorizer(generated: Any, seen: list[Seen]) -> Generator[str]:
    """An authorization server that allows everything: its address."""

    class Authorizer(generated.AuthorizationServicer):  # type: ignore[misc]  # generated at run time
        def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
            seen.append(Seen.here())
            return import_module("envoy.service.auth.v3.external_auth_pb2").CheckResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    generated.add_AuthorizationServicer_to_server(Authorizer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(grace=0).wait()


@contextmanager
def async_authorizer(generated: Any, seen: list[Seen]) -> Generator[str]:
    """The same on a server of grpc.aio, in an event loop on a thread of its own."""

    class Authorizer(generated.AuthorizationAsyncServicer):  # type: ignore[misc]  # generated at run time
        async def Check(self, request: Any, context: dubbo_mesh.aio.ServicerContext) -> Any:
            seen.append(Seen.here())
            return import_module("envoy.service.auth.v3.external_auth_pb2").CheckResponse()

    address: list[str] = []
    up = threading.Event()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        server = grpc.aio.server()
        generated.add_AuthorizationServicer_to_server(Authorizer(), server)
        address.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
        await server.start()
        up.set()
        await over.wait()
        await server.stop(grace=0)

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(loop.run_until_complete, serve())
        try:
            assert up.wait(10)
            yield address[0]
        finally:
            loop.call_soon_threadsafe(over.set)
            served.result(10)
            loop.close()


@contextmanager
def gateway(client: Client, authorizer: str, provider: str, directory: Path) -> Generator[EchoStub]:
    """A stub whose calls pass an Envoy that asks `authorizer` first."""
    clients = {
        "envoy_grpc": {"cluster_name": "authorizer"},
        "google_grpc": {"target_uri": authorizer, "stat_prefix": "authorizer"},
    }
    ask = {
        "name": "envoy.filters.http.ext_authz",
        "typed_config": typed(
            "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            transport_api_version="V3",
            grpc_service={
                client: clients[client],
                "timeout": f"{TIMEOUT:g}s",
                "initial_metadata": [{"key": "tri-consumer-appname", "value": "gateway"}],
            },
        ),
    }
    service = sidecars.MeshService("echo", 50051, [provider], health_check=None)
    egress = sidecars.Egress([service], http_filters=[ask], clusters=[cluster("authorizer", [authorizer])])
    with sidecars.Sidecar("gateway", egress=egress, directory=directory) as envoy:
        options = (("grpc.default_authority", service.authority),)
        with EchoStub(target=envoy.egress, options=options) as stub:
            yield stub


@pytest.mark.parametrize("serve", [authorizer, async_authorizer], ids=["sync", "aio"])
@pytest.mark.parametrize("client", ["envoy_grpc", "google_grpc"])
def test_a_handler_reads_either_client_of_envoys(
    client: Client,
    serve: Callable[[ModuleType, list[Seen]], Any],
    generated: ModuleType,
    bench: Bench,
    tmp_path: Path,
) -> None:
    seen: list[Seen] = []
    with (
        serve(generated, seen) as address,
        gateway(client, address, bench.provider_address, tmp_path) as stub,
    ):
        assert stub.unary(StringValue(), timeout=5).value

    (request,) = seen
    assert request.caller_app == "gateway"
    assert request.remaining is not None
    # grpc's core rounds deadlines up by some milliseconds.
    assert 0 < request.remaining < TIMEOUT * 1.1
    assert request.external_address is None
    assert request.attachments == {}
    # envoy_grpc is one more HTTP client of Envoy's; google_grpc is grpc's own and knows nothing of Envoy.
    by_envoy = client == "envoy_grpc"
    assert request.internal is by_envoy
    assert request.expected_timeout == (TIMEOUT if by_envoy else None)
    assert (request.forwarded_for is not None) is by_envoy


@pytest.mark.parametrize(
    ("client", "own"),
    [
        ("envoy_grpc", {"x-envoy-internal", "x-forwarded-for", "x-envoy-expected-rq-timeout-ms"}),
        ("google_grpc", {"user-agent", "grpc-accept-encoding"}),
    ],
)
def test_every_header_of_envoys_clients(client: Client, own: set[str], bench: Bench, tmp_path: Path) -> None:
    with WireServer() as server:
        with gateway(client, server.address, bench.provider_address, tmp_path) as stub:
            stub.unary(StringValue(), timeout=5)
        (headers,) = (dict(each) for each in server.requests)
        address = server.address
    assert set(headers) == own | {
        ":method",
        ":scheme",
        ":path",
        ":authority",
        "te",
        "content-type",
        "grpc-timeout",
        "tri-consumer-appname",
    }
    assert headers[":authority"] == {"envoy_grpc": "authorizer", "google_grpc": address}[client]
    # google_grpc says what is left when it sends, in steps of 10 ms, rounded up: 1010m, 1S or a little less.
    assert re.fullmatch(
        {"envoy_grpc": "1000m", "google_grpc": r"1S|1010m|\d{1,3}m"}[client], headers["grpc-timeout"]
    )
    assert headers["content-type"] == "application/grpc"
    assert headers["te"] == "trailers"


def test_a_handler_learns_whether_the_caller_is_inside(bench: Bench) -> None:
    seen: list[Seen] = []

    def behave(attempt: Attempt) -> str:
        seen.append(Seen.here())
        return echo(attempt)

    for trust in (INTERNAL, EDGE):
        bench.run(trust, dubbo_mesh.EnvoyHeaders(), behaviour=behave, DUBBO_MESH_APP="shop")

    inside, outside = seen
    assert (inside.caller_app, outside.caller_app) == ("shop", "shop")
    assert (inside.internal, outside.internal) == (True, False)
    assert (inside.external_address, outside.external_address) == (None, "127.0.0.1")
    assert inside.expected_timeout == pytest.approx(5.1)


def test_a_handler_learns_which_envoy_calls(bench: Bench, tmp_path: Path) -> None:
    service = sidecars.MeshService("echo", 50051, [bench.provider_address], health_check=None)
    egress = sidecars.Egress([service], connection_manager={"add_user_agent": True})
    seen: list[tuple[str | None, str | None]] = []

    def behave(attempt: Attempt) -> str:
        request = dubbo_mesh.current_request()
        assert request is not None
        seen.append((request.caller_cluster, request.caller_node))
        return echo(attempt)

    bench.provider.behaviours["named"] = behave
    with sidecars.Sidecar("shop-sidecar", egress=egress, directory=tmp_path) as envoy:
        options = (("grpc.default_authority", service.authority),)
        with EchoStub(target=envoy.egress, options=options) as stub:
            stub.unary(StringValue(), timeout=5, metadata=(("x-run", "named"),))
    assert seen == [("shop-sidecar", "shop-sidecar")]
