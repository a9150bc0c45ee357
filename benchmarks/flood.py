"""One rpc, called again and again on a connection of its own, as cheaply as Python can.

What a gRPC client takes for a call would hide what is in front of the server. Here every request after the
first is the same few bytes but for the number of its stream, and of a response only the heads of frames are
read.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Self

import hpack

AT_ONCE = 50

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_EMPTY_MESSAGE = bytes(5)


class Flood:
    """A client of one rpc, whose request is an empty message.

    Args:
        address: `host:port` of the server, or of its Envoy.
        authority: the name that it is called by.
        path: of the rpc.
    """

    def __init__(self, address: str, authority: str, path: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._stream = 1
        self._path = path
        self._headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "flood"),
        ]
        # The first request leaves its headers in the connection's table; all others refer to them.
        self._encoder = hpack.Encoder()
        self._socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, b""))
        self._send(1)
        self._wait(1)
        self._block = self._encoder.encode(self._headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()

    def call(self, times: int) -> None:
        """Makes so many calls, up to `AT_ONCE` at once, and returns when all were answered.

        Raises:
            ConnectionError: the server gave up a call, or the connection.
        """
        left = times
        waiting = 0
        while left or waiting:
            more = min(left, AT_ONCE - waiting)
            if more:
                self._send(more)
            left -= more
            waiting += more
            waiting -= self._wait(min(waiting, AT_ONCE // 2))

    def _send(self, times: int) -> None:
        requests: list[bytes] = []
        for _ in range(times):
            block = self._block if self._stream > 1 else self._encoder.encode(self._headers)
            requests.append(_frame(_HEADERS, _END_HEADERS, self._stream, block))
            requests.append(_frame(_DATA, _END_STREAM, self._stream, _EMPTY_MESSAGE))
            self._stream += 2
        self._socket.sendall(b"".join(requests))

    def _wait(self, times: int) -> int:
        """Returns how many responses have come, once there are as many as asked for."""
        answered = 0
        while answered < times:
            for kind, flags in self._frames():
                if kind in (_RST_STREAM, _GOAWAY):
                    raise ConnectionError(f"{self._path}: the server sent a frame of type {kind}")
                if kind == _SETTINGS and not flags & _ACK:
                    self._socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
                answered += kind in (_DATA, _HEADERS) and flags & _END_STREAM
        return answered

    def _frames(self) -> Iterator[tuple[int, int]]:
        """Types and flags of the frames that have come since, one or more bytes of them."""
        more = self._socket.recv(1 << 16)
        if not more:
            raise ConnectionError(f"{self._path}: the server closed the connection")
        received, start = self._received + more, 0
        while len(received) - start >= 9:
            end = start + 9 + int.from_bytes(received[start : start + 3])
            if end > len(received):
                break
            yield received[start + 3], received[start + 4]
            start = end
        self._received = received[start:]


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload
