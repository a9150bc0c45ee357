"""A connection to a server in frames of HTTP/2 (RFC 9113), to see what gRPC's own client does not show."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import NamedTuple, Self

from ..addressing.frames import HEAD, PING, PREFACE, SETTINGS, frame
from .address import Endpoint

_ACK = 1
_LARGEST_FRAME = 16384  # bytes: what a peer may send that was not told otherwise
_MOST_FRAMES = 1000


class Frame(NamedTuple):
    """A frame of HTTP/2.

    Attributes:
        kind: its type.
        flags: its flags.
        payload: its payload.
    """

    kind: int
    flags: int
    payload: bytes


class Wire:
    """A connection on which HTTP/2 has been begun.

    Args:
        endpoint: to connect to.
        timeout: seconds that all of the connection may take.

    Raises:
        OSError: nothing accepts the connection.
    """

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self._end = time.monotonic() + timeout
        self._received = b""
        self._frames = 0
        self._socket = endpoint.connect(timeout)
        with suppress(OSError):  # it is closed already: what was said before can still be read
            self._socket.sendall(PREFACE + frame(SETTINGS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()

    def ping(self, number: int) -> None:
        """Pings.

        Raises:
            OSError: the connection is closed.
        """
        self._socket.settimeout(self._left())
        self._socket.sendall(frame(PING, number.to_bytes(8, "big")))

    def receive(self) -> Frame:
        """The next frame; settings and pings are acknowledged.

        Raises:
            OSError: the connection is closed, or nothing comes in time.
            ValueError: the server does not keep to the protocol.
        """
        self._fill(HEAD)
        head = self._received[:HEAD]
        size = int.from_bytes(head[:3], "big")
        self._frames += 1
        if size > _LARGEST_FRAME or self._frames > _MOST_FRAMES:
            raise ValueError("it does not keep to HTTP/2")
        self._fill(HEAD + size)
        payload, self._received = self._received[HEAD : HEAD + size], self._received[HEAD + size :]
        received = Frame(head[3], head[4], payload)
        if received.kind in (SETTINGS, PING) and not received.flags & _ACK:
            answer = b"" if received.kind == SETTINGS else payload
            self._socket.sendall(frame(received.kind, answer, _ACK))
        return received

    def _fill(self, size: int) -> None:
        while len(self._received) < size:
            self._socket.settimeout(self._left())
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionResetError("the server closed the connection")
            self._received += received

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left


def is_ping_answer(frame: Frame) -> bool:
    """Whether it acknowledges a ping."""
    return frame.kind == PING and bool(frame.flags & _ACK)
