"""Real providers of the echo service that keep count of what they run."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from tests.calling.echo import EchoServicer, add_EchoServicer_to_server

HOLD = StringValue(value="hold")
FAIL = StringValue(value="fail")


class Provider(EchoServicer):
    """Answers with its name, and keeps the requests that it ran; to `FAIL`, with UNAVAILABLE.

    Attributes:
        name: what it answers.
        ran: how often a request of that value was run, by any rpc.
        peers: the connections that calls came by.
        headers: the metadata of the last call.
        address: `ip:port`, once it serves.
        release: what calls with the request `HOLD` wait for before their last response.
        entered: set when a call has reached the provider.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.ran: Counter[str] = Counter()
        self.peers: set[str] = set()
        self.headers: dict[str, str | bytes] = {}
        self.address = ""
        self.release = threading.Event()
        self.entered = threading.Event()
        self._lock = threading.Lock()

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        self._note(request, context)
        self._hold(request)
        return StringValue(value=self.name)

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        self._note(request, context)
        yield StringValue(value=self.name)
        self._hold(request)
        yield StringValue(value=self.name)

    def clientStream(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> StringValue:
        for request in request_iterator:
            self._note(request, context)
            self._hold(request)
        return StringValue(value=self.name)

    def bidi(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> Iterator[StringValue]:
        for request in request_iterator:
            self._note(request, context)
            yield StringValue(value=self.name)
            self._hold(request)
        yield StringValue(value=self.name)

    def _hold(self, request: StringValue) -> None:
        if request == HOLD:
            self.release.wait()

    def _note(self, request: StringValue, context: grpc.ServicerContext) -> None:
        with self._lock:
            self.ran[request.value] += 1
            self.peers.add(context.peer())
            self.headers = dict(context.invocation_metadata())
        self.entered.set()
        if request == FAIL:
            context.abort(grpc.StatusCode.UNAVAILABLE, "as asked")


@contextmanager
def serving(
    provider: Provider, credentials: grpc.ServerCredentials | None = None, address: str = "127.0.0.1:0"
) -> Generator[Provider]:
    """Serves `provider` on a port of its own."""
    with ThreadPoolExecutor(16) as pool:
        server = grpc.server(pool)
        add_EchoServicer_to_server(provider, server)
        host = address.rpartition(":")[0]
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
        provider.address = f"{host}:{port}"
        server.start()
        try:
            yield provider
        finally:
            provider.release.set()
            server.stop(grace=0).wait()
