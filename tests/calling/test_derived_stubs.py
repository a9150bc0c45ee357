"""Classes that users derive from generated stubs: with constructors of their own, and of several services."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
from dubbo_mesh import ConfigurationError
from tests.calling.chain import on_threads
from tests.calling.echo import ECHO, EchoAsyncStub, EchoServicer, EchoStub
from tests.calling.mesh import Provider, Seen

OTHER = dubbo_mesh.Service(
    "test.Other",
    dubbo_mesh.Method("/test.Other/other", StringValue, StringValue),
    app="other",
    version="2",
    port=50051,
)


class OtherStub(dubbo_mesh.Stub["OtherAsyncStub"]):
    __mesh__ = OTHER
    other: dubbo_mesh.UnaryUnary[StringValue, StringValue]


class OtherAsyncStub(dubbo_mesh.aio.Stub, twin=OtherStub):
    __mesh__ = OTHER
    other: dubbo_mesh.aio.UnaryUnary[StringValue, StringValue]


class TenantStub(EchoStub):
    """With arguments of its own, some of them by position."""

    def __init__(self, tenant: str, retries: int, *, where: str) -> None:
        super().__init__(target=where, envoy=dubbo_mesh.EnvoyHeaders(max_retries=retries))
        self.tenant = tenant

    def greet(self) -> Seen:
        return Seen.of(self.unary(StringValue(), timeout=5, metadata=(("tenant", self.tenant),)))


class TenantAsyncStub(EchoAsyncStub):
    def __init__(self, tenant: str, retries: int, *, where: str) -> None:
        super().__init__(target=where, envoy=dubbo_mesh.EnvoyHeaders(max_retries=retries))
        self.tenant = tenant

    async def greet(self) -> Seen:
        return Seen.of(await self.unary(StringValue(), timeout=5, metadata=(("tenant", self.tenant),)))


def assert_greeted(seen: Seen) -> None:
    assert (seen["tenant"], seen["x-envoy-max-retries"]) == ("acme", "3")


def test_a_constructor_of_its_own() -> None:
    make: Any = TenantStub  # pyright checks calls against Stub.__new__ too
    with on_threads(Provider()) as provider, make("acme", 3, where=provider) as stub:
        assert_greeted(stub.greet())


def test_an_async_constructor_of_its_own() -> None:
    async def run(where: str) -> Seen:
        async with TenantAsyncStub("acme", 3, where=where) as stub:
            return await stub.greet()

    with on_threads(Provider()) as provider:
        assert_greeted(asyncio.run(run(provider)))


class GreetingStub(EchoStub):
    def greet(self) -> StringValue:
        return self.unary(StringValue(), timeout=5)


class BothStub(EchoStub, OtherStub):  # pyright: ignore[reportGeneralTypeIssues]  # two twins
    pass


class BothAsyncStub(EchoAsyncStub, OtherAsyncStub):
    pass


def test_only_the_generated_class_becomes_its_twin() -> None:
    async def run() -> None:
        async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
            assert type(EchoStub(channel)) is EchoAsyncStub
            as_keyword: Any = EchoStub(channel=channel)
            assert type(as_keyword) is EchoAsyncStub
            derived: Any = GreetingStub
            with pytest.raises(TypeError, match=r"GreetingStub is synchronous.* from EchoAsyncStub"):
                derived(channel)
            both: Any = BothStub
            with pytest.raises(TypeError, match="derive a class from EchoAsyncStub, OtherAsyncStub"):
                both(channel)

    asyncio.run(run())


class OtherProvider(grpc.GenericRpcHandler):
    """Answers the rpc of the other service with the headers it got."""

    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method != "/test.Other/other":
            return None

        def answer(request: StringValue, context: grpc.ServicerContext) -> StringValue:
            headers = dict(context.invocation_metadata())
            return StringValue(value=str(headers.get("tri-service-version")))

        return grpc.unary_unary_rpc_method_handler(
            answer, StringValue.FromString, StringValue.SerializeToString
        )


@pytest.fixture(scope="module")
def address() -> Any:
    class Both(EchoServicer):
        def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
            headers = dict(context.invocation_metadata())
            return StringValue(value=str(headers.get("tri-service-version")))

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        dubbo_mesh.add_servicer(Both(), server, ECHO)
        server.add_generic_rpc_handlers((OtherProvider(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(grace=0).wait()


def test_a_class_of_two_services_calls_both(address: str) -> None:
    with BothStub(target=address) as stub:
        assert stub.unary(StringValue(), timeout=5).value == "None"
        assert stub.other(StringValue(), timeout=5).value == "2"  # each with its own identity
    with grpc.insecure_channel(address) as channel:
        assert BothStub(channel).other(StringValue(), timeout=5).value == "2"


def test_an_async_class_of_two_services_calls_both(address: str) -> None:
    async def run() -> list[str]:
        async with BothAsyncStub(target=address) as stub:
            calls = stub.unary(StringValue(), timeout=5), stub.other(StringValue(), timeout=5)
            return [(await call).value for call in calls]

    assert asyncio.run(run()) == ["None", "2"]


def test_rpcs_of_the_same_name_are_refused() -> None:
    class CopyStub(dubbo_mesh.Stub["OtherAsyncStub"]):
        __mesh__ = dubbo_mesh.Service(
            "test.Copy", dubbo_mesh.Method("/test.Copy/unary", StringValue, StringValue), app="copy"
        )

    class CollidingStub(EchoStub, CopyStub):  # pyright: ignore[reportGeneralTypeIssues]  # the same
        pass

    with pytest.raises(TypeError, match=r"CollidingStub: test\.Echo and test\.Copy both have an rpc 'unary'"):
        CollidingStub(target="127.0.0.1:1")


@pytest.mark.parametrize("make", [BothStub, BothAsyncStub])
def test_services_in_different_places_need_a_target(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "default")
    with pytest.raises(
        ConfigurationError, match=r"test\.Echo at echo\.default.*test\.Other at other\.default"
    ):
        make()


def test_services_in_the_same_place_need_none(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class TogetherStub(EchoStub, OtherStub):  # pyright: ignore[reportGeneralTypeIssues]  # the same
        """Its second service moved to where the first is."""

    class MovedStub(OtherStub):
        __mesh__ = dubbo_mesh.Service("test.Other", *OTHER.methods.values(), app="echo", port=50051)

    class MovedTogetherStub(EchoStub, MovedStub):  # pyright: ignore[reportGeneralTypeIssues]  # the same
        pass

    monkeypatch.setenv("POD_NAMESPACE", "default")
    monkeypatch.setenv("DUBBO_MESH_EGRESS", address)
    with MovedTogetherStub() as stub:
        assert stub.other(StringValue(), timeout=5).value == "None"
    with pytest.raises(ConfigurationError):
        TogetherStub()


def test_a_class_that_names_a_service_replaces_the_one_it_derives_from() -> None:
    class Elsewhere(EchoStub):
        __mesh__ = dubbo_mesh.Service("test.Elsewhere", *OTHER.methods.values(), app="elsewhere")

    with Elsewhere(target="127.0.0.1:1") as stub:
        assert [name for name in vars(stub) if not name.startswith("_")] == ["other"]
