"""A call's timeout is gRPC's deadline and Envoy's timeout, on real Envoys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from dubbo_mesh import EnvoyHeaders, Target
from tests import sidecars
from tests.calling import ways
from tests.calling.echo import EchoAsyncStub, EchoStub
from tests.calling.mesh import ROUTE_TIMEOUT, Bench, Seen
from tests.calling.ways import Ending

OK = grpc.StatusCode.OK
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
INTERNAL = grpc.StatusCode.INTERNAL

BEYOND_THE_ROUTE = f"for {ROUTE_TIMEOUT * 2}"
ENDED_WELL = (OK, "")
CUT = (UNAVAILABLE, "upstream request timeout")

ONE_OF_EACH_SHAPE = ["call", "client stream call", "iterator", "bidi iterator"]
ONE_OF_EACH_SHAPE_AIO = ["await", "client stream await", "async for", "bidi async for"]
SYNC_WAYS = {**ways.UNARY, **ways.STREAMS}
ASYNC_WAYS = {**ways.UNARY_AIO, **ways.STREAMS_AIO}


def end(
    bench: Bench,
    way: str,
    text: str,
    *,
    app: str = "short",
    sidecar: sidecars.Sidecar | None = None,
    stubs: EnvoyHeaders | None = None,
    **arguments: Any,
) -> Ending:
    """How a call ends that is made in `way`."""
    sidecar = sidecar or bench.trusting
    if way in SYNC_WAYS:
        with bench.stub(sidecar, app, stubs) as stub:
            return SYNC_WAYS[way](stub, text, arguments)

    async def make() -> Ending:
        async with bench.async_stub(sidecar, app, stubs) as stub:
            return await ASYNC_WAYS[way](stub, text, arguments)

    return asyncio.run(make())


def test_without_our_header_the_routes_timeout_cuts_a_call_and_a_stream(bench: Bench) -> None:
    with bench.plain(bench.trusting, "short") as plain:
        with pytest.raises(grpc.RpcError) as raised:
            plain.unary(StringValue(value="hang"), timeout=10)
        assert ways.ending_of(raised.value) == CUT
        with pytest.raises(grpc.RpcError) as raised:
            list(plain.stream(StringValue(value="begin hang"), timeout=10))
        code, details = ways.ending_of(raised.value)
        assert code is INTERNAL
        assert "RST_STREAM" in str(details)


@pytest.mark.parametrize("way", [*ONE_OF_EACH_SHAPE, *ONE_OF_EACH_SHAPE_AIO])
def test_a_call_with_a_timeout_may_take_longer_than_the_route_gives(bench: Bench, way: str) -> None:
    assert end(bench, way, BEYOND_THE_ROUTE, timeout=10) == ENDED_WELL


@pytest.mark.parametrize("way", ["iterator", "bidi iterator", "async for", "bidi async for"])
def test_a_stream_without_a_timeout_is_not_cut(bench: Bench, way: str) -> None:
    assert end(bench, way, f"begin {BEYOND_THE_ROUTE}") == ENDED_WELL


def test_a_unary_call_without_any_timeout_is_the_routes_business(bench: Bench) -> None:
    assert end(bench, "call", "hang") == CUT


@pytest.mark.parametrize(
    ("where", "way", "text", "ending"),
    [
        ("stubs", "call", "hang", CUT),
        ("envoy", "call", "hang", CUT),
        ("envoy", "await", "hang", CUT),
        ("envoy", "iterator", "hang", CUT),
        ("envoy", "async for", "hang", CUT),
    ],
)
def test_inheriting_leaves_the_route_in_charge(
    bench: Bench, where: str, way: str, text: str, ending: Ending
) -> None:
    arguments: dict[str, Any] = {where: EnvoyHeaders(inherit_timeout=True)}
    assert end(bench, way, text, timeout=10, **arguments) == ending


def test_a_call_may_give_envoy_less_than_itself(bench: Bench) -> None:
    # Envoy's timer it is that ends it, as its ending tells: the call's own has 10 s.
    ending = end(bench, "call", "hang", app="echo", timeout=10, envoy=EnvoyHeaders(timeout=0.2))
    assert ending == CUT


def test_a_call_may_take_from_envoy_what_its_stub_asked(bench: Bench) -> None:
    never = EnvoyHeaders(timeout=0)
    assert end(bench, "call", BEYOND_THE_ROUTE, timeout=10, stubs=EnvoyHeaders(timeout=0.1)) == ENDED_WELL
    assert end(bench, "call", BEYOND_THE_ROUTE, envoy=never, stubs=EnvoyHeaders(timeout=0.1)) == ENDED_WELL


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"timeout": 3.0}, "3100"),
        ({"envoy": EnvoyHeaders(timeout=2)}, "2100"),
        ({"timeout": 3.0, "envoy": EnvoyHeaders(timeout=2)}, "2000"),
        ({"timeout": 3.0, "envoy": EnvoyHeaders(timeout=7)}, "7000"),
        ({}, "15000"),  # Envoy's own default
    ],
    ids=str,
)
def test_envoy_tells_the_provider_what_it_was_given(
    bench: Bench, arguments: Mapping[str, Any], expected: str
) -> None:
    with bench.stub(bench.trusting) as stub:
        seen = Seen.of(stub.unary(StringValue(), **arguments))
    assert seen["x-envoy-expected-rq-timeout-ms"] == expected


def test_the_methods_timeout_is_the_deadline_where_the_call_names_none(bench: Bench) -> None:
    with bench.stub(bench.trusting, envoy=EnvoyHeaders(timeout=500)) as stub:
        assert 0 < (Seen.of(stub.unary(StringValue())).remaining or 0) < 600
        assert 600 < (Seen.of(stub.unary(StringValue(), timeout=900)).remaining or 0) < 1000


class TestEnvoyEnforcesTheDeadline:
    """As Istio's routes do, on a sidecar that strips our header: two timers, one moment."""

    def test_plain_grpc_is_told_that_the_provider_is_unavailable(self, bench: Bench) -> None:
        # Where Envoy is told to fire 150 ms early it always wins; where not, chance decides.
        with bench.plain(bench.strict, "early") as plain:
            calls = [plain.unary.future(StringValue(value="hang"), timeout=0.4) for _ in range(20)]
            assert {ways.ending_of(call.exception()) for call in calls} == {CUT}
            streams = [plain.stream(StringValue(value="begin hang"), timeout=0.4) for _ in range(20)]
            assert {call.code() for call in streams} == {INTERNAL}

    @pytest.mark.parametrize("app", ["enforced", "enforced-stream"])
    @pytest.mark.parametrize("text", ["hang", "begin hang"])
    def test_every_call_ends_with_deadline_exceeded(self, bench: Bench, app: str, text: str) -> None:
        hang = StringValue(value=text)
        with bench.stub(bench.strict, app) as stub:
            futures = [stub.unary.future(StringValue(value="hang"), timeout=0.1) for _ in range(30)]
            streams = [stub.serverStream(hang, timeout=0.1) for _ in range(30)]
            codes = {call.code() for call in (*futures, *streams)}
        assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}

    @pytest.mark.parametrize("app", ["enforced", "enforced-stream"])
    def test_every_async_call_ends_with_deadline_exceeded(self, bench: Bench, app: str) -> None:
        async def codes() -> set[grpc.StatusCode]:
            async with bench.async_stub(bench.strict, app) as stub:
                calls = [
                    *(stub.unary(StringValue(value="hang"), timeout=0.1) for _ in range(30)),
                    *(stub.serverStream(StringValue(value="begin hang"), timeout=0.1) for _ in range(30)),
                ]
                return set(await asyncio.gather(*(call.code() for call in calls)))

        assert asyncio.run(codes()) == {grpc.StatusCode.DEADLINE_EXCEEDED}

    @pytest.mark.parametrize("way", [*SYNC_WAYS, *ASYNC_WAYS])
    def test_in_every_way_of_calling(self, bench: Bench, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
        # Envoy comes first for certain, so that it is we who tell the truth.
        monkeypatch.setattr("dubbo_mesh._calling.deadline._TOLERANCE", 0.2)
        code, details = end(bench, way, "begin hang", app="early", sidecar=bench.strict, timeout=0.3)
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "Deadline Exceeded" in str(details)

    @pytest.mark.parametrize("whose", ["ours", "the user's"])
    def test_on_a_channel_with_interceptors(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, whose: str
    ) -> None:
        monkeypatch.setattr("dubbo_mesh._calling.deadline._TOLERANCE", 0.2)
        monkeypatch.setenv("DUBBO_MESH_EGRESS", bench.strict.egress)
        target, hang = Target("early", port=50051), StringValue(value="begin hang")
        seen: list[grpc.StatusCode] = []

        class Looking(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
            def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
                call = continuation(client_call_details, request)
                seen.append(call.code())
                return call

            def intercept_unary_stream(
                self, continuation: Any, client_call_details: Any, request: Any
            ) -> Any:
                return continuation(client_call_details, request)

        if whose == "ours":
            stub = EchoStub(target=target, interceptors=[Looking()])
        else:
            options = [("grpc.default_authority", target.authority)]
            channel = grpc.insecure_channel(bench.strict.egress, options)
            stub = EchoStub(grpc.intercept_channel(channel, Looking()))
        with stub:
            for way in ("call", "with_call", "future.result", "future.code", "iterator", "iterator.code"):
                code, _ = SYNC_WAYS[way](stub, hang.value, {"timeout": 0.3})
                assert code is grpc.StatusCode.DEADLINE_EXCEEDED, way
        if whose == "ours":  # what interceptors see is corrected too
            assert set(seen) == {grpc.StatusCode.DEADLINE_EXCEEDED}

    @pytest.mark.parametrize("whose", ["ours", "the user's"])
    def test_on_an_async_channel_with_interceptors(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, whose: str
    ) -> None:
        monkeypatch.setattr("dubbo_mesh._calling.deadline._TOLERANCE", 0.2)
        monkeypatch.setenv("DUBBO_MESH_EGRESS", bench.strict.egress)
        target = Target("early", port=50051)

        class Passing(grpc.aio.UnaryUnaryClientInterceptor):
            async def intercept_unary_unary(
                self, continuation: Any, client_call_details: Any, request: Any
            ) -> Any:
                return await continuation(client_call_details, request)

        class PassingStream(grpc.aio.UnaryStreamClientInterceptor):
            async def intercept_unary_stream(
                self, continuation: Any, client_call_details: Any, request: Any
            ) -> Any:
                return await continuation(client_call_details, request)

        async def run() -> None:
            interceptors = [Passing(), PassingStream()]
            if whose == "ours":
                stub = EchoAsyncStub(target=target, interceptors=interceptors)
            else:
                options = [("grpc.default_authority", target.authority)]
                stub = EchoAsyncStub(
                    grpc.aio.insecure_channel(bench.strict.egress, options, interceptors=interceptors)
                )
            async with stub:
                for way in ("await", "await code", "callback", "async for", "read", "async for code"):
                    code, _ = await ASYNC_WAYS[way](stub, "begin hang", {"timeout": 0.3})
                    assert code is grpc.StatusCode.DEADLINE_EXCEEDED, way

        asyncio.run(run())

    def test_in_a_stream_that_is_read_in_one_thread(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dubbo_mesh._calling.deadline._TOLERANCE", 0.2)
        monkeypatch.setenv("DUBBO_MESH_EGRESS", bench.strict.egress)
        with EchoStub(target=Target("early", port=50051), single_threaded_streams=True) as stub:
            call: Any = stub.serverStream(StringValue(value="begin hang"), timeout=0.3)
            with pytest.raises(grpc.RpcError) as raised:
                list(call)
            assert raised.value is call
            assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    @pytest.mark.parametrize("way", ["call", "await", "iterator", "async for"])
    def test_a_routes_own_shorter_timeout_stays_what_it_is(self, bench: Bench, way: str) -> None:
        assert end(bench, way, "hang", sidecar=bench.strict, timeout=10) == CUT

    def test_a_future_stays_what_it_was_when_it_was_first_looked_at(self, bench: Bench) -> None:
        with bench.stub(bench.strict, "short") as stub:
            timeout = 15 * ROUTE_TIMEOUT  # so much later that the route's ends the call on a slow machine too
            deadline = time.monotonic() + timeout
            future = stub.unary.future(StringValue(value="hang"), timeout=timeout)
            assert future.code() is grpc.StatusCode.UNAVAILABLE
            time.sleep(deadline - time.monotonic())  # until it has passed
            assert (future.code(), future.details()) == CUT
