"""Which servicer answers a call, by Dubbo's version and group."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests.calling.echo import ECHO
from tests.serving.conftest import Kind, Running
from tests.serving.providers import AsyncProvider, Provider

Serve = Callable[..., Running]
Metadata = tuple[tuple[str, str], ...]

SHAPES = ["unary", "server stream", "client stream", "bidi"]


def asking(version: str | None = None, group: str | None = None) -> Metadata:
    """The metadata of a call that asks for a version and a group."""
    pairs = (("tri-service-version", version), ("tri-service-group", group))
    return tuple((key, value) for key, value in pairs if value is not None)


def named(kind: Kind, name: str, version: str | None = None, group: str | None = None) -> Any:
    """A servicer of `test.Echo` that answers each call with its own name."""
    keyed = dubbo_mesh.Service(ECHO.name, *ECHO.methods.values(), app="echo", version=version, group=group)

    class Sync(Provider):
        __mesh__ = keyed

        def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
            return StringValue(value=name)

    class Async(AsyncProvider):
        __mesh__ = keyed

        async def unary(
            self, request: StringValue, context: grpc.aio.ServicerContext[Any, Any]
        ) -> StringValue:
            return StringValue(value=name)

    return Sync() if kind == "sync" else Async()


def answered(running: Running, metadata: Metadata) -> str | None:
    """Who answers a call; None if nobody does."""
    try:
        return running.stub().unary(StringValue(), metadata=metadata, timeout=5).value
    except grpc.RpcError as error:
        refused = error.code() is grpc.StatusCode.UNIMPLEMENTED
        if refused and f"{ECHO.name} is provided here as" in (error.details() or ""):
            return None
        raise


def call(running: Running, shape: str, metadata: Metadata) -> str:
    stub, one = running.stub(), StringValue(value="hello")
    if shape == "unary":
        return stub.unary(one, metadata=metadata, timeout=5).value
    if shape == "server stream":
        return next(iter(stub.serverStream(one, metadata=metadata, timeout=5))).value
    if shape == "client stream":
        return stub.clientStream(iter([one]), metadata=metadata, timeout=5).value
    return next(iter(stub.bidi(iter([one]), metadata=metadata, timeout=5))).value


class TestOneServicer:
    """With a version and a group, or with neither."""

    @pytest.mark.parametrize(
        ("version", "group", "lenient", "strict"),
        [
            ("2.0", "blue", True, True),
            ("1.0", "blue", False, False),
            ("2.0", "green", False, False),
            ("2.0", None, True, False),
            (None, "blue", True, False),
            (None, "green", False, False),
            (None, None, True, False),
            ("", "", True, False),
            ("*", "*", True, False),
        ],
    )
    def test_of_a_version_and_group_answers_what_matches(
        self, serve: Serve, kind: Kind, version: str | None, group: str | None, lenient: bool, strict: bool
    ) -> None:
        servicer = named(kind, "it", "2.0", "blue")
        for strictly, expected in ((False, lenient), (True, strict)):
            running = serve(servicer, strict_routing=strictly)
            assert (answered(running, asking(version, group)) == "it") is expected

    def test_of_neither_answers_everybody(self, serve: Serve, kind: Kind) -> None:
        running = serve(named(kind, "it"))
        for metadata in (asking(), asking("1.0"), asking("2.0", "blue"), asking("", "*")):
            assert answered(running, metadata) == "it"

    def test_of_neither_answers_strictly_those_who_ask_for_neither(self, serve: Serve, kind: Kind) -> None:
        running = serve(named(kind, "it"), strict_routing=True)
        for metadata in (asking(), asking("", ""), asking("*")):
            assert answered(running, metadata) == "it"
        assert answered(running, asking("2.0")) is None

    @pytest.mark.parametrize("shape", SHAPES)
    def test_refuses_calls_of_every_shape(self, serve: Serve, kind: Kind, shape: str) -> None:
        keyed = dubbo_mesh.Service(ECHO.name, *ECHO.methods.values(), app="echo", version="2.0", group="blue")
        base = Provider if kind == "sync" else AsyncProvider
        running = serve(type("Keyed", (base,), {"__mesh__": keyed})())
        assert call(running, shape, asking("2.0", "blue")) == "hello"
        with pytest.raises(grpc.RpcError) as raised:
            call(running, shape, asking("1.0"))
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert (raised.value.details() or "").startswith(
            "test.Echo is provided here as 'blue/test.Echo:2.0'; the call asks for version '1.0' and no group"
        )


class TestSeveralServicers:
    """Of one service, on one server."""

    @pytest.fixture
    def servicers(self, kind: Kind) -> list[Any]:
        return [
            named(kind, "old"),
            named(kind, "new", "2.0"),
            named(kind, "blue", group="blue"),
            named(kind, "both", "2.0", "blue"),
        ]

    @pytest.mark.parametrize(
        ("metadata", "name"),
        [
            (asking(), "old"),
            (asking("2.0"), "new"),
            (asking(group="blue"), "blue"),
            (asking("2.0", "blue"), "both"),
            (asking("", "*"), "old"),
        ],
    )
    def test_an_exact_match_answers(
        self, serve: Serve, servicers: list[Any], metadata: Metadata, name: str
    ) -> None:
        for strict in (False, True):
            assert answered(serve(*servicers, strict_routing=strict), metadata) == name

    @pytest.mark.parametrize(
        ("metadata", "name"),
        [
            (asking("3.0"), "old"),
            (asking("2.0", "green"), "new"),
            (asking("3.0", "blue"), "blue"),
        ],
    )
    def test_otherwise_the_nearest_that_is_not_of_another_version_or_group(
        self, serve: Serve, servicers: list[Any], metadata: Metadata, name: str
    ) -> None:
        assert answered(serve(*servicers), metadata) == name
        assert answered(serve(*servicers, strict_routing=True), metadata) is None

    def test_a_call_that_does_not_ask_is_refused_if_it_is_not_clear_whom_it_means(
        self, serve: Serve, kind: Kind
    ) -> None:
        running = serve(named(kind, "old", "1.0"), named(kind, "new", "2.0"))
        assert answered(running, asking()) is None
        assert answered(running, asking("1.0")) == "old"
        assert answered(running, asking("2.0", "any")) == "new"

    def test_of_the_same_version_and_group_are_an_error(self, make: Serve, kind: Kind) -> None:
        one, other = named(kind, "one", "2.0"), named(kind, "other", "2.0")
        with pytest.raises(ValueError, match=r"both serve 'test.Echo:2\.0' on this server"):
            make(one, other)

    def test_are_behind_the_same_interceptors(self, serve: Serve, kind: Kind, servicers: list[Any]) -> None:
        paths: list[str] = []

        class Sync(grpc.ServerInterceptor):
            def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
                paths.append(handler_call_details.method)
                return continuation(handler_call_details)

        class Async(grpc.aio.ServerInterceptor):
            async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
                paths.append(handler_call_details.method)
                return await continuation(handler_call_details)

        running = serve(*servicers, interceptors=[Sync() if kind == "sync" else Async()])
        for _ in range(2):
            assert answered(running, asking("2.0")) == "new"
            assert answered(running, asking("2.0", "blue")) == "both"
        assert answered(serve(named(kind, "it", "2.0"), interceptors=[]), asking("1.0")) is None
        assert paths == ["/test.Echo/unary"] * 4


def test_health_is_asked_without(serve: Serve, kind: Kind) -> None:
    running = serve(named(kind, "it", "2.0", "blue"), strict_routing=True)
    assert running.health().check("blue/test.Echo:2.0") == "SERVING"


class TestOnGrpcsOwnServers:
    """Which know nothing of versions: the servicer added last answers, as with protoc's functions."""

    @pytest.fixture
    def server(self) -> Iterator[grpc.Server]:
        from concurrent.futures import ThreadPoolExecutor

        server = grpc.server(ThreadPoolExecutor(2))
        yield server
        server.stop(None)

    def test_a_second_servicer_is_warned_of(
        self, server: grpc.Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second = named("sync", "first"), named("sync", "second", "2.0")
        with caplog.at_level(logging.WARNING, "dubbo_mesh"):
            dubbo_mesh.add_servicer(first, server, ECHO)
            assert not caplog.messages
            dubbo_mesh.add_servicer(second, server, ECHO)
        assert "test.Echo is served by Sync and by Sync on one server" in caplog.text
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(
                "/test.Echo/unary", StringValue.SerializeToString, StringValue.FromString
            )
            assert call(StringValue(), timeout=5).value == "second"
