from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
from dubbo_mesh import EnvoyHeaders, Target
from dubbo_mesh._calling.aio_metadata import LazyMetadata
from tests.addressing.conftest import Mesh
from tests.calling.chain import on_threads
from tests.calling.echo import EchoAsyncStub, EchoStub
from tests.calling.mesh import Provider as SeeingProvider
from tests.calling.mesh import Seen

TARGET = Target("echo", "default", 50051)


Note = tuple[str, str, dict[str, Any]]
"""Name of the interceptor, path of the rpc, metadata."""


class Noting(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Notes what passes, under its name."""

    def __init__(self, name: str, notes: list[Note]) -> None:
        self.name = name
        self.notes = notes

    def _note(self, details: grpc.ClientCallDetails) -> None:
        self.notes.append((self.name, details.method, dict(details.metadata or ())))

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self._note(client_call_details)
        return continuation(client_call_details, request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self._note(client_call_details)
        return continuation(client_call_details, request)

    def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        self._note(client_call_details)
        return continuation(client_call_details, request_iterator)

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        self._note(client_call_details)
        return continuation(client_call_details, request_iterator)


class NotingUnary(grpc.aio.UnaryUnaryClientInterceptor):
    """The same, for asyncio, which takes an interceptor for one shape only."""

    def __init__(self, name: str, notes: list[Note]) -> None:
        self.name = name
        self.notes = notes

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        details = client_call_details
        self.notes.append((self.name, details.method.decode(), dict(tuple(details.metadata))))
        return await continuation(details, request)


class NotingStream(grpc.aio.StreamStreamClientInterceptor):
    def __init__(self, name: str, notes: list[Note]) -> None:
        self.name = name
        self.notes = notes

    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        details = client_call_details
        self.notes.append((self.name, details.method.decode(), dict(tuple(details.metadata))))
        return await continuation(details, request_iterator)


def call_all_shapes(stub: EchoStub) -> list[str]:
    """Calls each rpc in each way there is; returns the names of the rpcs, one for each call."""
    assert stub.unary(StringValue(), timeout=5).value == "provider"
    assert stub.unary.with_call(StringValue(), timeout=5)[0].value == "provider"
    assert stub.unary.future(StringValue(), timeout=5).result().value == "provider"
    assert next(stub.serverStream(StringValue(), timeout=5)).value == "provider"
    assert stub.clientStream(iter([StringValue()]), timeout=5).value == "provider"
    assert stub.clientStream.with_call(iter([StringValue()]), timeout=5)[0].value == "provider"
    assert stub.clientStream.future(iter([StringValue()]), timeout=5).result().value == "provider"
    assert next(stub.bidi(iter([StringValue()]), timeout=5)).value == "provider"
    return ["unary"] * 3 + ["serverStream"] + ["clientStream"] * 3 + ["bidi"]


def test_a_stub_that_dials_takes_interceptors_for_all_its_calls(egress: Mesh) -> None:
    notes: list[Note] = []
    interceptors = [Noting("outer", notes), Noting("inner", notes)]
    with EchoStub(interceptors=interceptors, envoy=EnvoyHeaders(max_retries=2)) as stub:
        called = call_all_shapes(stub)
    expected = [(name, f"/test.Echo/{rpc}") for rpc in called for name in ("outer", "inner")]
    assert [(name, method) for name, method, _ in notes] == expected
    # They see what the stub sends.
    assert all(metadata["x-envoy-max-retries"] == "2" for _, _, metadata in notes)


@pytest.mark.parametrize("connections", [1, 2])
def test_grpcs_own_way_to_intercept_works_on_our_channels(egress: Mesh, connections: int) -> None:
    notes: list[Note] = []
    with dubbo_mesh.channel(TARGET, connections=connections) as channel:
        called = call_all_shapes(EchoStub(grpc.intercept_channel(channel, Noting("only", notes))))
    assert [method for _, method, _ in notes] == [f"/test.Echo/{rpc}" for rpc in called]
    assert egress.connections() == connections


def test_interceptors_go_with_several_connections_and_a_fallback(
    egress: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUBBO_MESH_FALLBACK", "direct")
    monkeypatch.setenv("DUBBO_MESH_DIRECT", f"echo={egress.provider.address}")
    notes: list[Note] = []
    with EchoStub(interceptors=[Noting("only", notes)], connections=2) as stub:
        called = call_all_shapes(stub)
    assert [method for _, method, _ in notes] == [f"/test.Echo/{rpc}" for rpc in called]
    assert egress.connections() == 3  # one is that of the watch


@pytest.mark.parametrize("connections", [1, 2])
@pytest.mark.parametrize("how", ["stub", "channel"])
def test_async_interceptors(egress: Mesh, how: str, connections: int) -> None:
    notes: list[Note] = []
    interceptors = [NotingUnary("outer", notes), NotingStream("stream", notes), NotingUnary("inner", notes)]

    async def call_both(stub: EchoAsyncStub) -> None:
        assert (await stub.unary(StringValue(), timeout=5)).value == "provider"
        async for response in stub.bidi(iter([StringValue()]), timeout=5):
            assert response.value == "provider"

    async def run() -> None:
        if how == "stub":
            async with EchoAsyncStub(interceptors=interceptors, connections=connections) as stub:
                await call_both(stub)
        else:
            async with dubbo_mesh.aio.channel(
                TARGET, interceptors=interceptors, connections=connections
            ) as channel:
                await call_both(EchoAsyncStub(channel))

    asyncio.run(run())
    assert [(name, method) for name, method, _ in notes] == [
        ("outer", "/test.Echo/unary"),
        ("inner", "/test.Echo/unary"),
        ("stream", "/test.Echo/bidi"),
    ]


class Changing(grpc.aio.UnaryUnaryClientInterceptor):
    """Changes the metadata in place, as interceptors for asyncio may."""

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        metadata = client_call_details.metadata
        assert isinstance(metadata, grpc.aio.Metadata)
        assert metadata["x-envoy-max-retries"] == "2"
        assert metadata.get_all("number") == ["1"]
        metadata.add("number", "2")
        metadata["tri-service-group"] = "changed"
        del metadata["x-envoy-max-retries"]
        return await continuation(client_call_details, request)


def test_an_async_interceptor_changes_the_metadata_of_its_call_only(egress: Mesh) -> None:
    envoy = EnvoyHeaders(max_retries=2, upstream_alt_stat_name="kept")

    async def run() -> None:
        async with EchoAsyncStub(interceptors=[Changing()], envoy=envoy) as stub:
            for _ in range(2):
                await stub.unary(StringValue(), timeout=5, metadata=(("number", "1"),))
                received = egress.provider.headers
                assert received["number"] == "2"
                assert received["tri-service-group"] == "changed"
                assert "x-envoy-max-retries" not in received

    asyncio.run(run())


PAIRS = (("a", "1"), ("a", "2"), ("b-bin", b"\0"), ("c", ""))
USES: list[Callable[[grpc.aio.Metadata], object]] = [
    len,
    list,
    repr,
    bool,
    lambda metadata: metadata.__contains__("a"),
    lambda metadata: metadata.__contains__("d"),
    lambda metadata: metadata["a"],
    lambda metadata: metadata.get("d"),
    lambda metadata: metadata.get_all("a"),
    lambda metadata: list(metadata.keys()),
    lambda metadata: list(metadata.values()),
    lambda metadata: list(metadata.items()),
    lambda metadata: list(metadata + grpc.aio.Metadata(("d", "3"))),
    lambda metadata: metadata == grpc.aio.Metadata(*PAIRS),
    lambda metadata: grpc.aio.Metadata(*PAIRS) == metadata,
    lambda metadata: metadata == grpc.aio.Metadata(),
    lambda metadata: hasattr(metadata, "nothing"),
    lambda metadata: list(copy.copy(metadata)),
    lambda metadata: list(copy.deepcopy(metadata)),
    lambda metadata: list(pickle.loads(pickle.dumps(metadata))),
    lambda metadata: metadata.add("a", "3"),
    lambda metadata: metadata.set_all("a", ["4", "5"]),
    lambda metadata: metadata.delete_all("a"),
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("looked_into", [False, True])
def test_metadata_of_async_calls_is_as_grpcs(use: Callable[[Any], object], looked_into: bool) -> None:
    ours, grpcs = LazyMetadata(PAIRS), grpc.aio.Metadata(*PAIRS)
    if looked_into:
        assert ours["a"] == "1"
    assert str(use(ours)).replace("LazyMetadata", "Metadata") == str(use(grpcs))
    assert ours == grpcs
    assert len(ours) == len(grpcs)


TIMEOUT_HEADER = "x-envoy-upstream-rq-timeout-ms"


class SettingTimeout(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Gives each call a deadline, as interceptors do that know how long an rpc may take."""

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout

    def _set(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        # Metadata is often made anew, as another type.
        metadata = [*(client_call_details.metadata or ()), ("mine", "1")]
        return continuation(client_call_details._replace(timeout=self.timeout, metadata=metadata), request)

    intercept_unary_unary: Any = _set
    intercept_unary_stream: Any = _set
    intercept_stream_unary: Any = _set
    intercept_stream_stream: Any = _set


class AsyncSettingTimeout(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*client_call_details.metadata, ("mine", "1"))
        details = client_call_details._replace(timeout=self.timeout, metadata=metadata)
        return await continuation(details, request)


class AsyncSettingStreamTimeout(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        details = client_call_details._replace(timeout=self.timeout)
        return await continuation(details, request)


def sync_header(
    address: str, rpc: str, interceptors: Any, channel: bool, call: dict[str, Any], **stub_arguments: Any
) -> str | None:
    """Envoy's timeout as it arrives."""

    def seen(stub: EchoStub) -> str | None:
        request: Any = iter([StringValue()]) if rpc in ("clientStream", "bidi") else StringValue()
        answer: Any = getattr(stub, rpc)(request, **call)
        (response,) = answer if rpc in ("serverStream", "bidi") else (answer,)
        return dict(Seen.of(response).headers).get(TIMEOUT_HEADER)

    if channel:
        with dubbo_mesh.channel(address, interceptors=interceptors) as opened:
            return seen(EchoStub(opened, **stub_arguments))
    with EchoStub(target=address, interceptors=interceptors, **stub_arguments) as stub:
        return seen(stub)


def async_header(
    address: str, rpc: str, interceptors: Any, channel: bool, call: dict[str, Any], **stub_arguments: Any
) -> str | None:
    async def seen(stub: EchoAsyncStub) -> str | None:
        answer: Any = getattr(stub, rpc)(StringValue(), **call)
        (response,) = [each async for each in answer] if rpc == "serverStream" else (await answer,)
        return dict(Seen.of(response).headers).get(TIMEOUT_HEADER)

    async def run() -> str | None:
        if channel:
            async with dubbo_mesh.aio.channel(address, interceptors=interceptors) as opened:
                return await seen(EchoAsyncStub(opened, **stub_arguments))
        async with EchoAsyncStub(target=address, interceptors=interceptors, **stub_arguments) as stub:
            return await seen(stub)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def seeing() -> Iterator[str]:
    with on_threads(SeeingProvider()) as address:
        yield address


DEADLINES: dict[str, tuple[dict[str, Any], float | None, str | None]] = {
    "longer than the call's": ({"timeout": 3}, 20.0, "20100"),
    "shorter than the call's": ({"timeout": 3}, 2.0, "2100"),
    "where the call has none": ({}, 20.0, "20100"),
    "the call's own": ({"timeout": 3}, 3.0, "3100"),
    "pinned by the call": ({"timeout": 3, "envoy": EnvoyHeaders(timeout=7)}, 20.0, "7000"),
    "inherited from the route": ({"timeout": 3, "envoy": EnvoyHeaders(inherit_timeout=True)}, 20.0, None),
    "beside a header of the caller's": ({"timeout": 3, "metadata": ((TIMEOUT_HEADER, "9"),)}, 20.0, "9"),
}


@pytest.mark.parametrize("channel", [False, True])
@pytest.mark.parametrize("case", DEADLINES)
@pytest.mark.parametrize("rpc", ["unary", "serverStream", "clientStream", "bidi"])
def test_envoy_is_told_of_a_deadline_that_an_interceptor_sets(
    seeing: str, rpc: str, case: str, channel: bool
) -> None:
    call, timeout, expected = DEADLINES[case]
    interceptors = [Noting("outer", []), SettingTimeout(timeout)]
    assert sync_header(seeing, rpc, interceptors, channel, call) == expected


@pytest.mark.parametrize("channel", [False, True])
@pytest.mark.parametrize("case", DEADLINES)
@pytest.mark.parametrize("rpc", ["unary", "serverStream"])
def test_envoy_is_told_of_a_deadline_that_an_async_interceptor_sets(
    seeing: str, rpc: str, case: str, channel: bool
) -> None:
    call, timeout, expected = DEADLINES[case]
    interceptors = [AsyncSettingTimeout(timeout), AsyncSettingStreamTimeout(timeout)]
    assert async_header(seeing, rpc, interceptors, channel, call) == expected


@pytest.mark.parametrize("header", [sync_header, async_header])
def test_a_deadline_that_an_interceptor_takes_away(seeing: str, header: Any) -> None:
    setting = SettingTimeout(None) if header is sync_header else AsyncSettingTimeout(None)
    assert header(seeing, "unary", [setting], False, {"timeout": 3}) is None
    # As if the call had been made without: then the stub's own timeout is not Envoy's either.
    assert header(seeing, "unary", [setting], False, {}, envoy=EnvoyHeaders(timeout=4)) is None


def test_a_call_within_an_interceptor_is_another_one(seeing: str) -> None:
    headers: list[str | None] = []

    class Asking(grpc.UnaryUnaryClientInterceptor):
        """Fetches something on the same channel before each call, without an end."""

        stub: EchoStub | None = None

        def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
            if self.stub is not None:
                stub, self.stub = self.stub, None
                seen = Seen.of(stub.unary(StringValue(), timeout=1))
                headers.append(seen[TIMEOUT_HEADER])
            return continuation(client_call_details._replace(timeout=20), request)

    asking = Asking()
    with EchoStub(target=seeing, interceptors=[asking]) as stub:
        asking.stub = stub
        headers.append(Seen.of(stub.unary(StringValue(), timeout=3))[TIMEOUT_HEADER])
    assert headers == ["20100", "20100"]


def test_a_plain_stub_on_such_a_channel_is_left_alone(seeing: str) -> None:
    with dubbo_mesh.channel(seeing, interceptors=[SettingTimeout(5)]) as channel:
        EchoStub(channel).unary(StringValue(), timeout=3)
        plain: Any = channel.unary_unary(
            "/test.Echo/unary", StringValue.SerializeToString, StringValue.FromString
        )
        assert TIMEOUT_HEADER not in Seen.of(plain(StringValue()))
