"""Every header on the wire, upstream of the sidecar: our stubs' requests against plain grpcio's."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from dubbo_mesh import EnvoyHeaders
from tests.addressing.control_plane import ControlPlane
from tests.calling.echo import EchoAsyncStub, EchoStub
from tests.headers.bench import INTERNAL, SIDECAR_INTERNAL, Bench, Trust
from tests.headers.wire import Headers, WireServer

# Of these, which differ from request to request, only their being there can be compared.
CHANGING = {"x-request-id", "traceparent", "grpc-timeout"}

BY_GRPCIO = {
    ":method",
    ":scheme",
    ":path",
    ":authority",
    "te",
    "content-type",
    "user-agent",
    "grpc-accept-encoding",
}
BY_ENVOY = {
    "x-forwarded-for",  # with use_remote_address
    "x-forwarded-proto",
    "x-request-id",
    "x-envoy-internal",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-attempt-count",  # asked for by the virtual host
    "traceparent",  # with tracing
    "tracestate",  # likewise, and empty
}


@dataclass(frozen=True)
class Mode:
    """A way to the server, for plain grpcio and, by the environment, for our stubs."""

    environment: dict[str, str]
    address: str
    server: WireServer
    app: str = "wire"
    options: tuple[tuple[str, str], ...] = ()

    @property
    def target(self) -> dubbo_mesh.Target:
        return dubbo_mesh.Target(self.app, "default", 50051)

    def plain(self, *, streaming: bool = False, timeout: float | None = None) -> Headers:
        """What a request of plain grpcio's looks like at the server."""
        with (
            mock.patch.dict(os.environ, self.environment),
            grpc.insecure_channel(self.address, self.options) as channel,
        ):
            if streaming:
                stream: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(
                    "/test.Echo/serverStream"
                )
                list(stream(b"", timeout=timeout))
            else:
                call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/unary")
                call(b"", timeout=timeout)
        return self.server.requests[-1]

    def ours(self, call: Callable[[EchoStub], object], stub: type[EchoStub], **environment: str) -> Headers:
        """What a request of a stub's looks like at the server."""
        variables = {**self.environment, **environment}
        with mock.patch.dict(os.environ, variables), stub(target=self.target) as opened:
            call(opened)
        return self.server.requests[-1]


def _egress(bench: Bench, trust: Trust) -> Mode:
    egress = bench.envoy(trust).egress
    authority = (("grpc.default_authority", "wire.default.svc.cluster.local:50051"),)
    return Mode({"DUBBO_MESH_EGRESS": egress}, egress, bench.wire, options=authority)


@pytest.fixture
def egress(bench: Bench) -> Mode:
    return _egress(bench, INTERNAL)


@pytest.fixture
def direct() -> Iterator[Mode]:
    with WireServer() as server:
        environment = {"DUBBO_MESH_MODE": "direct", "DUBBO_MESH_DIRECT": f"wire={server.address}"}
        yield Mode(environment, server.address, server)


_apps = (f"wire-{number}" for number in itertools.count())


@pytest.fixture
def proxyless(tmp_path: Path) -> Iterator[Mode]:
    # grpc keeps an xDS client for each name: one that it is about to drop must not serve the next test.
    app = next(_apps)
    authority = f"{app}.default.svc.cluster.local:50051"
    with WireServer() as server, ControlPlane() as control_plane:
        control_plane.serve(authority, [server.address])
        bootstrap = control_plane.bootstrap(tmp_path / "bootstrap.json")
        environment = {"DUBBO_MESH_MODE": "proxyless", "GRPC_XDS_BOOTSTRAP": str(bootstrap)}
        yield Mode(environment, f"xds:///{authority}", server, app)


class VersionedStub(EchoStub):
    __mesh__ = dubbo_mesh.Service(
        "test.Echo", *EchoStub.__mesh__.methods.values(), version="2.1.0", group="eu"
    )


def unary(stub: EchoStub) -> object:
    return stub.unary(StringValue())


def unary_with_timeout(stub: EchoStub) -> object:
    return stub.unary(StringValue(), timeout=5)


def stream(stub: EchoStub) -> object:
    return list(stub.serverStream(StringValue()))


def difference(plain: Headers, ours: Headers) -> dict[str, str | None]:
    """What ours has and plain has not, or has otherwise; None for what ours lacks."""
    assert len(dict(ours)) == len(ours), "no header stands twice"
    names = {*dict(plain), *dict(ours)}
    return {
        name: dict(ours).get(name)
        for name in sorted(names)
        if dict(ours).get(name) != dict(plain).get(name)
        and not (name in CHANGING and name in dict(plain) and name in dict(ours))
    }


def test_plain_grpcio_sends_what_the_facts_say(direct: Mode, proxyless: Mode, egress: Mode) -> None:
    for mode in (direct, proxyless):
        assert set(dict(mode.plain())) == BY_GRPCIO
        assert set(dict(mode.plain(timeout=5))) == BY_GRPCIO | {"grpc-timeout"}
    assert set(dict(egress.plain())) == BY_GRPCIO | BY_ENVOY
    assert set(dict(egress.plain(timeout=5))) == BY_GRPCIO | BY_ENVOY | {"grpc-timeout"}
    assert dict(direct.plain())["te"] == "trailers"
    assert dict(direct.plain())["content-type"] == "application/grpc"
    assert dict(egress.plain())[":authority"] == "wire.default.svc.cluster.local:50051"


EVERYTHING = EnvoyHeaders(
    per_try_timeout=1,
    max_retries=2,
    retry_on="reset",
    retry_grpc_on="unavailable",
    retriable_status_codes=[503],
    retriable_header_names="x-again",
    hedge_on_per_try_timeout=False,
    upstream_alt_stat_name="canary",
    timeout_alt_response=True,
    stream_duration=9,
    decorator_operation="op",
    force_trace=True,
    client_trace_id="mine",
    original_dst_host="127.0.0.1:1",
)


def everything(stub: EchoStub) -> object:
    return stub.unary(StringValue(), envoy=EVERYTHING)


SENT = {
    "x-envoy-max-retries": "2",
    "x-envoy-retry-on": "reset,retriable-status-codes,retriable-headers",
    "x-envoy-retry-grpc-on": "unavailable",
    "x-envoy-retriable-status-codes": "503",
    "x-envoy-retriable-header-names": "x-again",
    "x-envoy-hedge-on-per-try-timeout": "false",
    "x-envoy-upstream-alt-stat-name": "canary",
    "x-envoy-upstream-rq-per-try-timeout-ms": "1000",
    "x-envoy-upstream-rq-timeout-alt-response": "1",
    "x-envoy-upstream-stream-duration-ms": "9000",
    "x-envoy-decorator-operation": "op",
    "x-envoy-force-trace": "true",
    "x-client-trace-id": "mine",
    "x-envoy-original-dst-host": "127.0.0.1:1",
}


def is_for_envoy(header: str) -> bool:
    """Whether a header means something to an Envoy only. Where none is dialled, a provider would see it."""
    return header.startswith("x-envoy-") or header == "x-client-trace-id"


@pytest.mark.parametrize(
    ("call", "plainly", "stub", "environment", "without_sidecar", "through_sidecar"),
    [
        pytest.param(unary, {}, EchoStub, {}, {}, {}, id="nothing asked"),
        pytest.param(
            unary,
            {},
            EchoStub,
            {"DUBBO_MESH_APP": "shop"},
            {"tri-consumer-appname": "shop"},
            {"tri-consumer-appname": "shop"},
            id="own name",
        ),
        pytest.param(
            unary,
            {},
            VersionedStub,
            {},
            {"tri-service-version": "2.1.0", "tri-service-group": "eu"},
            {"tri-service-version": "2.1.0", "tri-service-group": "eu"},
            id="version and group",
        ),
        pytest.param(
            unary_with_timeout,
            {"timeout": 5},
            EchoStub,
            {},
            {"x-envoy-upstream-rq-timeout-ms": "5100"},
            {"x-envoy-expected-rq-timeout-ms": "5100"},
            id="deadline",
        ),
        pytest.param(
            stream,
            {"streaming": True},
            EchoStub,
            {},
            {"x-envoy-upstream-rq-timeout-ms": "0"},
            {"x-envoy-expected-rq-timeout-ms": None},
            id="stream",
        ),
        pytest.param(
            everything,
            {},
            EchoStub,
            {},
            SENT,
            # The router consumes what is its own.
            {
                "x-client-trace-id": "mine",
                "x-envoy-decorator-operation": "op",
                "x-envoy-force-trace": "true",
                "x-envoy-original-dst-host": "127.0.0.1:1",
                "x-envoy-expected-rq-timeout-ms": "1000",
            },
            id="everything asked",
        ),
    ],
)
def test_requests_differ_from_plain_grpcios_in_what_was_asked_and_nothing_else(
    direct: Mode,
    proxyless: Mode,
    egress: Mode,
    call: Callable[[EchoStub], object],
    plainly: dict[str, Any],
    stub: type[EchoStub],
    environment: dict[str, str],
    without_sidecar: dict[str, str],
    through_sidecar: dict[str, str | None],
) -> None:
    for_all = {name: value for name, value in without_sidecar.items() if not is_for_envoy(name)}
    assert difference(direct.plain(**plainly), direct.ours(call, stub, **environment)) == for_all
    assert (
        difference(proxyless.plain(**plainly), proxyless.ours(call, stub, **environment)) == without_sidecar
    )
    assert difference(egress.plain(**plainly), egress.ours(call, stub, **environment)) == through_sidecar


def test_the_async_twin_sends_the_same(direct: Mode, proxyless: Mode, egress: Mode) -> None:
    async def call(mode: Mode) -> None:
        async with EchoAsyncStub(target=mode.target) as stub:
            await stub.unary(StringValue(), envoy=EVERYTHING)

    for mode in (direct, proxyless, egress):
        by_sync = mode.ours(everything, EchoStub, DUBBO_MESH_APP="shop")
        with mock.patch.dict(os.environ, {**mode.environment, "DUBBO_MESH_APP": "shop"}):
            asyncio.run(call(mode))
        # grpcio's own doing: it names itself grpc-python-asyncio.
        assert set(difference(by_sync, mode.server.requests[-1])) == {"user-agent"}


def test_forwarded_for_goes_to_a_sidecar_only(bench: Bench, direct: Mode, proxyless: Mode) -> None:
    through = _egress(bench, SIDECAR_INTERNAL)
    forwarded = {"DUBBO_MESH_FORWARDED_FOR": "127.0.0.1"}
    assert difference(through.plain(), through.ours(unary, EchoStub, **forwarded)) == {
        "x-forwarded-for": "127.0.0.1",
        "x-envoy-internal": "true",
    }
    for mode in (direct, proxyless):
        assert difference(mode.plain(), mode.ours(unary, EchoStub, **forwarded)) == {}


def test_a_callers_own_metadata_stands_as_the_caller_wrote_it(direct: Mode) -> None:
    def call(stub: EchoStub) -> object:
        metadata = (("x-envoy-max-retries", "7"), ("order-id", "1"), ("order-id", "2"), ("blob-bin", b"\0\1"))
        return stub.unary(StringValue(), metadata=metadata, envoy=EnvoyHeaders(max_retries=2))

    ours = direct.ours(call, EchoStub)
    assert [value for name, value in ours if name == "order-id"] == ["1", "2"]
    assert [value for name, value in ours if name == "x-envoy-max-retries"] == ["7"]
    assert dict(ours)["blob-bin"] == "AAE"
    assert set(dict(ours)) == BY_GRPCIO | {"order-id", "blob-bin", "x-envoy-max-retries"}
