"""The instances of the café: plain gRPC servers whose handlers are a test's."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health, health_pb2_grpc

Handler = Callable[[int, grpc.ServicerContext], StringValue]
"""Answers an attempt of a call, given the number of attempts that came before it, of all calls."""

StreamHandler = Callable[[grpc.ServicerContext], Iterator[StringValue]]

_STREAMS = {"/cafe.Orders/Follow", "/cafe.Orders/Watch"}


class Cafe:
    """What all servers answer, and what came to them.

    Attributes:
        answers: The handlers of unary calls by path; without one, the server says where it listens.
        streams: The handlers of streams by path.
        attempts: The addresses of the servers that got the attempts of calls, by path.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Handler] = {}
        self.streams: dict[str, StreamHandler] = {}
        self.attempts: defaultdict[str, list[str]] = defaultdict(list)
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Forgets what came, and all handlers."""
        self.answers.clear()
        self.streams.clear()
        self.attempts.clear()

    def serve(self, address: str, pool: ThreadPoolExecutor) -> grpc.Server:
        """A started server."""
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((_At(self, address),))
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)  # pyright: ignore[reportUnknownMemberType]
        server.add_insecure_port(address)
        server.start()
        return server

    def unary(self, path: str, address: str, context: grpc.ServicerContext) -> StringValue:
        """Answers an attempt of a unary call."""
        with self._lock:
            before = len(self.attempts[path])
            self.attempts[path].append(address)
        handler = self.answers.get(path)
        return handler(before, context) if handler else StringValue(value=address)


class _At(grpc.GenericRpcHandler):
    """The handlers of the server at one address."""

    def __init__(self, cafe: Cafe, address: str) -> None:
        self._cafe = cafe
        self._address = address

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        path = handler_call_details.method

        def unary(_: StringValue, context: grpc.ServicerContext) -> StringValue:
            return self._cafe.unary(path, self._address, context)

        def stream(_: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
            return self._cafe.streams[path](context)

        codec = (StringValue.FromString, StringValue.SerializeToString)
        if path in _STREAMS:
            return grpc.unary_stream_rpc_method_handler(stream, *codec)
        return grpc.unary_unary_rpc_method_handler(unary, *codec) if path.startswith("/cafe.") else None
