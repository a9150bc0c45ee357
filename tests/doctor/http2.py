"""A client of HTTP/2 that sends whatever headers a test gives it, which grpcio would not."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TypeAlias

import h2.config
import h2.connection
import h2.events

Headers: TypeAlias = Sequence[tuple[str, str]]

_AT_ONCE = 50


def responses(
    address: str, requests: Sequence[Headers], *, source: str | None = None, preface: bytes = b""
) -> list[dict[str, str] | None]:
    """The headers of the responses to requests on one connection; None for one that was reset.

    Args:
        address: `host:port`.
        requests: the headers of each, `:authority` and the like first.
        source: the address to connect from.
        preface: what to send first, such as a header of the PROXY protocol.

    Raises:
        ConnectionError: the connection was closed.
    """
    host, _, port = address.rpartition(":")
    bound = None if source is None else (source, 0)
    with socket.create_connection((host.strip("[]"), int(port)), 10, source_address=bound) as opened:
        opened.sendall(preface)
        return _Client(opened).responses(requests)


class _Client:
    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._found: dict[int, dict[str, str] | None] = {}

    def responses(self, requests: Sequence[Headers]) -> list[dict[str, str] | None]:
        streams: list[int] = []
        for start in range(0, len(requests), _AT_ONCE):
            sent = [self._send(headers) for headers in requests[start : start + _AT_ONCE]]
            self._socket.sendall(self._connection.data_to_send())
            self._wait_for(set(sent))
            streams.extend(sent)
        return [self._found[stream] for stream in streams]

    def _send(self, headers: Headers) -> int:
        stream = self._connection.get_next_available_stream_id()
        self._connection.send_headers(stream, headers, end_stream=True)
        return stream

    def _wait_for(self, streams: set[int]) -> None:
        headers: dict[int, dict[str, str]] = {}
        while streams - self._found.keys():
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the connection was closed")
            for event in self._connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    headers[event.stream_id] = {str(name): str(value) for name, value in event.headers}
                elif isinstance(event, h2.events.StreamEnded):
                    self._found[event.stream_id] = headers.get(event.stream_id, {})
                elif isinstance(event, h2.events.StreamReset):
                    self._found[event.stream_id] = None
                elif isinstance(event, h2.events.ConnectionTerminated):
                    raise ConnectionError(f"the connection was terminated: {event.error_code}")
            self._socket.sendall(self._connection.data_to_send())
