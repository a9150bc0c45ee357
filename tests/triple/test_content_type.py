"""`application/grpc+proto`, Triple's content type: taken from others, and what grpcio makes of it."""

from __future__ import annotations

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.calling.chain import on_aio, on_threads
from tests.calling.echo import EchoStub
from tests.calling.mesh import Provider, Seen
from tests.headers.wire import WireServer
from tests.triple import java


@pytest.mark.parametrize("serve", [on_threads, on_aio])
def test_a_request_as_dubbo_java_makes_it_is_served(serve: java.Serve) -> None:
    with serve(Provider()) as address:
        response = java.ask(
            address,
            "/test.Echo/unary",
            StringValue().SerializeToString(),
            ("tri-consumer-appname", "java-shop"),
            ("tri-service-version", "1.0"),
            ("user-agent", "dubbo-java"),
        )
    assert response.headers[":status"] == "200"
    assert response.headers["content-type"].startswith("application/grpc")
    assert response.trailers["grpc-status"] == "0"
    seen = Seen.of(StringValue.FromString(response.body[5:]))
    assert seen["tri-consumer-appname"] == "java-shop"


def test_grpcio_sends_its_own_whatever_it_is_told() -> None:
    with WireServer() as server, EchoStub(target=server.address) as stub:
        stub.unary(StringValue(), timeout=10)
        stub.unary(StringValue(), timeout=10, metadata=(("content-type", java.CONTENT_TYPE),))
    for request in server.requests:
        assert [value for name, value in request if name == "content-type"] == ["application/grpc"]
