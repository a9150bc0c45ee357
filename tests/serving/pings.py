"""A caller that pings its connection while it waits for a response, as dubbo-go and Dubbo Java do."""

from __future__ import annotations

import socket
import struct
from typing import Self

import h2.config
import h2.connection
import h2.events
from google.protobuf.wrappers_pb2 import StringValue


class PingingCall:
    """One unary call of the echo service on a connection of its own.

    Args:
        address: `host:port` of the server.
        text: of the request.
    """

    def __init__(self, address: str, text: str = "") -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), 20)
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": "/test.Echo/unary",
            ":authority": address,
            "te": "trailers",
            "content-type": "application/grpc",
        }
        message = StringValue(value=text).SerializeToString()
        self._connection.send_headers(1, list(headers.items()))
        self._connection.send_data(1, struct.pack(">BI", 0, len(message)) + message, end_stream=True)
        self.status: str | None = None
        self._acknowledged = self._received = b""
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()

    def ping(self, number: int) -> None:
        """Pings, and waits for the answer.

        Raises:
            ConnectionError: the server closes the connection.
        """
        data = struct.pack(">Q", number)
        self._connection.ping(data)
        self._flush()
        while self._acknowledged != data:
            self._receive()

    def end(self) -> str:
        """Waits until the call has ended; returns the number of its status."""
        while self.status is None:
            self._receive()
        return self.status

    def _flush(self) -> None:
        self._socket.sendall(self._connection.data_to_send())

    def _receive(self) -> None:
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionError("the server closed the connection")
        self._received += received
        # Frame by frame: after a GOAWAY h2 takes no other.
        while len(self._received) >= (size := 9 + int.from_bytes(self._received[:3], "big")):
            frame, self._received = self._received[:size], self._received[size:]
            for event in self._connection.receive_data(frame):
                self._note(event)
        self._flush()

    def _note(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ConnectionTerminated(error_code=code, additional_data=data):
                raise ConnectionError(f"GOAWAY {code!r}: {(data or b'').decode()}")
            case h2.events.PingAckReceived(ping_data=data):
                self._acknowledged = data or b""
            case h2.events.TrailersReceived(headers=headers):
                trailers = {str(name): str(value) for name, value in headers or ()}
                self.status = trailers["grpc-status"]
            case _:
                pass
