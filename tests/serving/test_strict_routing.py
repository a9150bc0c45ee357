"""Whom a provider with a version and a group serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests.serving.conftest import Kind, Running
from tests.serving.providers import AsyncProvider, Provider

Serve = Callable[..., Running]
OURS = (("tri-service-version", "2.0"), ("tri-service-group", "blue"))
OTHERS = [
    (),
    (("tri-service-version", "1.0"), ("tri-service-group", "blue")),
    (("tri-service-version", "2.0"),),
    (("tri-service-group", "blue"),),
    (("tri-service-version", "2.0"), ("tri-service-group", "green")),
]


def versioned(kind: Kind) -> Any:
    """The provider of these tests as `blue/test.Echo:2.0`."""
    mesh = Provider.__mesh__
    keyed = dubbo_mesh.Service(mesh.name, *mesh.methods.values(), app="echo", version="2.0", group="blue")
    return type("Keyed", (Provider if kind == "sync" else AsyncProvider,), {"__mesh__": keyed})()


def call(running: Running, shape: str, metadata: Any) -> Any:
    stub, one = running.stub(), StringValue(value="hello")
    if shape == "unary":
        return stub.unary(one, metadata=metadata, timeout=5).value
    if shape == "server stream":
        return next(iter(stub.serverStream(one, metadata=metadata, timeout=5))).value
    if shape == "client stream":
        return stub.clientStream(iter([one]), metadata=metadata, timeout=5).value
    return next(iter(stub.bidi(iter([one]), metadata=metadata, timeout=5))).value


SHAPES = ["unary", "server stream", "client stream", "bidi"]


@pytest.mark.parametrize("shape", SHAPES)
def test_strictly_those_who_ask_for_just_that(serve: Serve, kind: Kind, shape: str) -> None:
    running = serve(versioned(kind), strict_routing=True)
    assert call(running, shape, OURS) == "hello"
    for metadata in OTHERS:
        with pytest.raises(grpc.RpcError) as raised:
            call(running, shape, metadata)
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "test.Echo is provided here as 'blue/test.Echo:2.0' only" in (raised.value.details() or "")


def test_otherwise_whoever_calls(serve: Serve, kind: Kind) -> None:
    running = serve(versioned(kind))
    for metadata in (OURS, *OTHERS):
        assert call(running, "unary", metadata) == "hello"


def test_strictly_a_provider_without_version_serves_those_who_ask_for_none(serve: Serve) -> None:
    running = serve(strict_routing=True)
    assert call(running, "unary", ()) == "hello"
    assert call(running, "unary", (("tri-service-version", ""),)) == "hello"
    with pytest.raises(grpc.RpcError) as raised:
        call(running, "unary", OURS)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_health_is_asked_without(serve: Serve, kind: Kind) -> None:
    assert serve(versioned(kind), strict_routing=True).health().check("blue/test.Echo:2.0") == "SERVING"
