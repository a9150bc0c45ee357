"""What Dubbo Java puts on the wire, by the letter: HTTP/2 without a gRPC library at either end."""

from __future__ import annotations

import base64
import socket
import threading
import urllib.parse
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import NamedTuple

import h2.config
import h2.connection
import h2.events
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from tests.calling.echo import EchoServicer
from tests.triple.google_rpc import error_details_pb2, status_pb2

Headers = tuple[tuple[str, str], ...]
Serve = Callable[[EchoServicer], AbstractContextManager[str]]

CONTENT_TYPE = "application/grpc+proto"
STACK = ("org.example.GreeterImpl.greet(GreeterImpl.java:42)", "java.lang.Thread.run(Thread.java:833)")


def error_trailers(code: int, message: str, *details: Message, padded: bool = True) -> Headers:
    """A response that is an error, as `AbstractServerStream.getTrailers` makes it."""
    encoded = urllib.parse.quote(message)
    status = status_pb2.Status(code=code, message=encoded)  # encoded here as well
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    in_base64 = base64.b64encode(status.SerializeToString()).decode()
    return (
        (":status", "200"),
        ("content-type", CONTENT_TYPE),
        ("grpc-status", str(code)),
        ("grpc-message", encoded),
        ("grpc-status-details-bin", in_base64 if padded else in_base64.rstrip("=")),
    )


def stack_trace() -> Message:
    """The detail that Dubbo Java adds for an exception."""
    info: Message = error_details_pb2.DebugInfo(stack_entries=STACK)
    return info


def message(serialized: bytes) -> bytes:
    """A gRPC message, not compressed."""
    return b"\0" + len(serialized).to_bytes(4, "big") + serialized


@contextmanager
def provider(trailers: Headers) -> Generator[str]:
    """Answers each request with these headers and nothing else; yields the address."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            peer, _ = listening.accept()
            accepted.append(peer)
            config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
            connection = h2.connection.H2Connection(config)
            connection.initiate_connection()
            with peer:
                peer.sendall(connection.data_to_send())
                while data := peer.recv(65536):
                    for event in connection.receive_data(data):
                        if isinstance(event, h2.events.StreamEnded):
                            connection.send_headers(event.stream_id, trailers, end_stream=True)
                    peer.sendall(connection.data_to_send())

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        for peer in accepted:
            with suppress(OSError):  # it has gone already
                peer.shutdown(socket.SHUT_RDWR)
        thread.join()


class Response(NamedTuple):
    """What came back."""

    headers: dict[str, str]
    body: bytes
    trailers: dict[str, str]


def ask(
    address: str,
    path: str,
    body: bytes,
    *headers: tuple[str, str],
    content_type: str = CONTENT_TYPE,
    framed: bool = True,
) -> Response:
    """Makes one unary request, with the headers of Dubbo Java's consumer (`TripleInvoker`) and `headers`.

    Args:
        address: of the provider.
        path: of the rpc.
        body: the request.
        *headers: further ones.
        content_type: of the request.
        framed: whether the request is a gRPC message; otherwise it is the body as it stands.
    """
    host, _, port = address.rpartition(":")
    config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    connection.send_headers(
        1,
        [
            (":scheme", "http"),
            (":method", "POST"),
            (":authority", address),
            (":path", path),
            ("content-type", content_type),
            ("te", "trailers"),
            ("grpc-timeout", "3000m"),
            *headers,
        ],
    )
    connection.send_data(1, message(body) if framed else body, end_stream=True)
    head: dict[str, str] = {}
    trailers: dict[str, str] = {}
    received = b""
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(connection.data_to_send())
        while data := peer.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    head = {str(key): str(value) for key, value in event.headers}
                elif isinstance(event, h2.events.DataReceived):
                    received += event.data
                elif isinstance(event, h2.events.TrailersReceived):
                    trailers = {str(key): str(value) for key, value in event.headers}
                elif isinstance(event, h2.events.StreamEnded):
                    return Response(head, received, trailers or head)
            peer.sendall(connection.data_to_send())
    raise ConnectionError("the server went away before the response was complete")
