"""Callers that ping their connection while a call is silent keep the call.

gRPC's servers close connections that ping more often than every five minutes ("Too many pings"), but dubbo-go
does every 40 s, and Envoy as often as its `connection_keepalive` says.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
from tests.calling.echo import EchoAsyncServicer, EchoServicer, add_EchoServicer_to_server
from tests.serving.conftest import Kind, Running
from tests.serving.pings import PingingCall

PINGS = 60
"""As many as one a second would be in a minute. How far apart they are does not matter while it is less than
what a server tolerates; `make soak` takes the minute."""


class Silent(EchoServicer):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        self.over.wait()
        return request


class AsyncSilent(EchoAsyncServicer):
    """The same on asyncio."""

    def __init__(self) -> None:
        self.over = threading.Event()

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        await asyncio.to_thread(self.over.wait)
        return request


def ping(call: PingingCall) -> None:
    for number in range(PINGS):
        call.ping(number)


def test_a_call_is_kept_while_its_connection_is_pinged(serve: Callable[..., Running], kind: Kind) -> None:
    servicer = Silent() if kind == "sync" else AsyncSilent()
    address = f"127.0.0.1:{serve(servicer).port}"
    with PingingCall(address) as call:
        try:
            ping(call)
        finally:
            servicer.over.set()
        assert call.end() == "0"


def test_grpcs_own_server_closes_such_a_connection() -> None:
    servicer = Silent()
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        add_EchoServicer_to_server(servicer, server)
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            with PingingCall(address) as call, pytest.raises(ConnectionError, match="too_many_pings"):
                ping(call)
        finally:
            servicer.over.set()
            server.stop(None).wait()
