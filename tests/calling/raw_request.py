"""Requests with headers that no gRPC client sends, made of HTTP/2 frames."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import h2.config
import h2.connection
import h2.events
from google.protobuf.wrappers_pb2 import StringValue

Header = tuple[bytes, bytes]

RPCS = {
    "unary": b"unary",
    "server stream": b"serverStream",
    "client stream": b"clientStream",
    "bidi": b"bidi",
}


def ask(address: str, shape: str, headers: tuple[Header, ...]) -> list[StringValue]:
    """Makes one request with these headers, as they are, and returns the responses to it."""
    host, _, port = address.rpartition(":")
    config = h2.config.H2Configuration(
        client_side=True,
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    connection.send_headers(
        1,
        [
            (b":scheme", b"http"),
            (b":method", b"POST"),
            (b":authority", address.encode()),
            (b":path", b"/test.Echo/" + RPCS[shape]),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
            *headers,
        ],
    )
    connection.send_data(1, b"\0\0\0\0\0", end_stream=True)
    received = b""
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(connection.data_to_send())
        while data := peer.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    received += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, 1)
                elif isinstance(event, h2.events.TrailersReceived):
                    assert dict(event.headers)[b"grpc-status"] == b"0", event.headers
                elif isinstance(event, h2.events.StreamEnded):
                    return list(_messages(received))
            peer.sendall(connection.data_to_send())
    raise ConnectionError("the server went away before the response was complete")


def _messages(received: bytes) -> Iterator[StringValue]:
    while received:
        length = int.from_bytes(received[1:5], "big")
        yield StringValue.FromString(received[5 : 5 + length])
        received = received[5 + length :]
