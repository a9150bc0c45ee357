"""Requests that are not protobuf end with a message that says what their caller has to change."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, suppress
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue

from dubbo_mesh._serving.answers import Refusal
from dubbo_mesh._serving.foreign import refusing
from tests.grpc_features.servers import KINDS, Kind, Make, Served, served
from tests.serving.providers import AsyncProvider, Provider
from tests.triple import java

RPCS = ("unary", "serverStream", "clientStream", "bidi")


def wrapper_class() -> Any:
    """Dubbo's message for requests without protobuf, made from its descriptor."""
    file = descriptor_pb2.FileDescriptorProto(
        name="triple_wrapper.proto", package="org.apache.dubbo.triple", syntax="proto3"
    )
    message = file.message_type.add(name="TripleRequestWrapper")
    kinds = descriptor_pb2.FieldDescriptorProto
    for number, (name, type_, label) in enumerate(
        (
            ("serializeType", kinds.TYPE_STRING, kinds.LABEL_OPTIONAL),
            ("args", kinds.TYPE_BYTES, kinds.LABEL_REPEATED),
            ("argTypes", kinds.TYPE_STRING, kinds.LABEL_REPEATED),
        ),
        start=1,
    ):
        message.field.add(name=name, number=number, type=type_, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("org.apache.dubbo.triple.TripleRequestWrapper")
    )


Wrapper = wrapper_class()


def wrapped(serialization: str, *arguments: tuple[bytes, str]) -> bytes:
    """A request as Dubbo wraps it."""
    wrapper = Wrapper(
        serializeType=serialization,
        args=[value for value, _ in arguments],
        argTypes=[type_ for _, type_ in arguments],
    )
    serialized: bytes = wrapper.SerializeToString()
    return serialized


FOREIGN = {
    "hessian4": wrapped("hessian4", (b"\x05world", "java.lang.String")),
    "hessian2": wrapped("hessian2", (b"\x05world", "java.lang.String"), (b"\x91", "int")),
    "fastjson2": wrapped("fastjson2", (b"x" * 1000, "[Ljava.lang.String;")),
    "msgpack": wrapped("msgpack", (b"", "[B")),
}
JSON = {
    "an object": json.dumps({"name": "world"}).encode(),
    "arguments": json.dumps(["world"]).encode(),
    "indented": json.dumps({"name": "world"}, indent=1).encode(),
    "nothing": b"{}",
}


def send(channel: Any, rpc: str, body: bytes) -> tuple[grpc.StatusCode, str]:
    """Calls an rpc with a request of these bytes; returns how that ends."""
    # A stream of one request is on the wire as one request is.
    call = channel.stream_stream(f"/test.Echo/{rpc}")(iter([body]), timeout=10)
    with suppress(grpc.RpcError):
        list(call)
    return call.code(), call.details()


def serving(how: str) -> AbstractContextManager[Served]:
    return served("ours", "sync" if how == "sync" else "aio", AsyncProvider() if how == "aio" else Provider())


@pytest.mark.parametrize("how", ["sync", "aio", "sync on aio"])
@pytest.mark.parametrize("rpc", RPCS)
class TestIsRefused:
    @pytest.mark.parametrize("serialization", FOREIGN)
    def test_what_dubbo_wraps(self, how: str, rpc: str, serialization: str) -> None:
        servicer = AsyncProvider() if how == "aio" else Provider()
        with (
            served("ours", "sync" if how == "sync" else "aio", servicer) as server,
            server.channel() as channel,
        ):
            code, details = send(channel, rpc, FOREIGN[serialization])
            assert code is grpc.StatusCode.UNIMPLEMENTED
            assert f"serialized as {serialization}" in details
            assert "stub that is generated from the service's .proto" in details
            assert send(channel, rpc, b"\n\x05hello") == (grpc.StatusCode.OK, "")

    @pytest.mark.parametrize("body", JSON)
    def test_json(self, how: str, rpc: str, body: str) -> None:
        servicer = AsyncProvider() if how == "aio" else Provider()
        with (
            served("ours", "sync" if how == "sync" else "aio", servicer) as server,
            server.channel() as channel,
        ):
            code, details = send(channel, rpc, JSON[body])
            assert code is grpc.StatusCode.UNIMPLEMENTED
            assert "the request is JSON" in details


@pytest.mark.parametrize("kind", KINDS)
def test_a_later_request_of_a_stream_is_refused_too(kind: Kind) -> None:
    servicer = Provider() if kind == "sync" else AsyncProvider()
    with served("ours", kind, servicer) as server, server.channel() as channel:
        bodies = iter([b"\n\x05hello", FOREIGN["hessian4"]])
        call = channel.stream_stream("/test.Echo/bidi")(bodies, timeout=10)
        assert next(call) == b"\n\x05hello"
        with pytest.raises(grpc.RpcError) as raised:
            next(call)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


NOT_WRAPPERS = {
    "a name that is a serialization's": wrapped("hessian4"),
    "an argument without its type": wrapped("hessian4") + b"\x12\x01a",
    "a type without its argument": wrapped("hessian4") + b"\x1a\x01a",
    "a type that is no name": wrapped("hessian4", (b"a", "two words")),
    "a further field": wrapped("hessian4", (b"a", "int")) + b"\x22\x01a",
    "another serialization": wrapped("protobuf", (b"a", "int")),
    "a longer name": wrapped("hessian42", (b"a", "int")),
    "a number": wrapped("hessian4", (b"a", "int")) + b"\x20\x01",
}


@pytest.mark.parametrize("what", NOT_WRAPPERS)
def test_what_is_no_wrapper_is_a_message_like_others(what: str) -> None:
    deserialize = refusing(StringValue.FromString, raising=True)
    assert deserialize(NOT_WRAPPERS[what]) == StringValue.FromString(NOT_WRAPPERS[what])


@pytest.mark.parametrize("cut", range(1, len(FOREIGN["hessian4"])))
def test_a_wrapper_that_is_cut_short_is_parsed_like_others(cut: int) -> None:
    serialized = FOREIGN["hessian4"][:cut]
    deserialize = refusing(lambda body: body, raising=True)
    assert deserialize(serialized) == serialized


def test_a_name_alone_is_a_wrapper_where_the_request_has_no_such_field() -> None:
    """As the wrapper of a Java method without arguments, of an rpc that takes `google.protobuf.Empty`."""
    with pytest.raises(Refusal, match="serialized as hessian4"):
        refusing(Empty.FromString, raising=True)(wrapped("hessian4"))
    assert refusing(Empty.FromString, raising=True)(b"") == Empty()


def test_a_service_of_dubbos_wrappers_gets_them() -> None:
    deserialize = refusing(Wrapper.FromString, raising=True)
    assert deserialize(FOREIGN["hessian4"]).serializeType == "hessian4"


def test_a_service_of_bytes_gets_them() -> None:
    def deserialize(body: bytes) -> bytes:
        return body

    for body in (*FOREIGN.values(), *JSON.values()):
        assert refusing(deserialize, raising=True)(body) == body


@pytest.mark.parametrize("kind", KINDS)
def test_interceptors_are_not_shown_what_is_refused(kind: Kind) -> None:
    """They would take it for a request."""
    seen: list[Any] = []

    class Sync(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            handler = continuation(handler_call_details)

            def respond(request: Any, context: Any) -> Any:
                seen.append(request)
                return handler.unary_unary(request, context)

            return handler._replace(unary_unary=respond)

    class Async(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            handler = await continuation(handler_call_details)

            async def respond(request: Any, context: Any) -> Any:
                seen.append(request)
                return await handler.unary_unary(request, context)

            return handler._replace(unary_unary=respond)

    servicer = Provider() if kind == "sync" else AsyncProvider()
    interceptors = [Sync() if kind == "sync" else Async()]
    with (
        served("ours", kind, servicer, interceptors=interceptors) as server,
        server.channel() as channel,
    ):
        assert send(channel, "unary", FOREIGN["hessian4"])[0] is grpc.StatusCode.UNIMPLEMENTED
        assert seen == []
        assert send(channel, "unary", b"\n\x05hello")[0] is grpc.StatusCode.OK
        assert seen == [StringValue(value="hello")]


@pytest.mark.parametrize("kind", KINDS)
def test_grpcs_own_servers_are_left_as_they_are(kind: Kind) -> None:
    servicer = Provider() if kind == "sync" else AsyncProvider()
    with served("ours on grpc", kind, servicer) as server, server.channel() as channel:
        assert send(channel, "unary", FOREIGN["hessian4"])[0] is grpc.StatusCode.OK


@pytest.mark.parametrize("make", ["protoc on grpc", "ours"])
@pytest.mark.parametrize("kind", KINDS)
class TestContentType:
    """Is for gRPC's core only: that there is nothing we could do is a fact, and these tests hold it."""

    def test_of_json_changes_nothing(self, make: Make, kind: Kind) -> None:
        with served(make, kind, Provider() if kind == "sync" else AsyncProvider()) as server:
            response = java.ask(
                server.address, "/test.Echo/unary", b"\n\x05hello", content_type="application/json"
            )
        assert response.body == java.message(b"\n\x05hello")

    def test_a_body_without_grpcs_framing_arrives_as_an_empty_request(self, make: Make, kind: Kind) -> None:
        with served(make, kind, Provider() if kind == "sync" else AsyncProvider()) as server:
            response = java.ask(
                server.address,
                "/test.Echo/unary",
                JSON["an object"],
                content_type="application/json",
                framed=False,
            )
        assert response.body == java.message(b"")
        assert response.trailers["grpc-status"] == "0"
