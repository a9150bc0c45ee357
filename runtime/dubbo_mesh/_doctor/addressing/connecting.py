"""Opens a connection where calls would go, and tells who is there.

What is sent is the beginning of an HTTP/2 connection (RFC 9113, 3.4), as any gRPC client sends it, and its
end: no request. If that is not understood, a TLS handshake is tried on a second connection.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import cast

from .frames import GOAWAY, HEAD, PREFACE, SETTINGS, frame

_NO_ERROR = bytes(8)  # the payload of a GOAWAY frame that ends a connection in good order: RFC 9113, 6.8


class Peer(Enum):
    """Who accepts connections."""

    HTTP2 = "speaks HTTP/2"
    TLS = "expects TLS"
    CLOSES = "accepts connections, and closes them at once"
    SILENT = "accepts connections, and says nothing"
    OTHER = "does not speak HTTP/2"


@dataclass(frozen=True, slots=True)
class Met:
    """A connection that was accepted.

    Attributes:
        peer: who accepted it.
        host: the address that it was opened to.
        source: the address that it came from.
        said: the beginning of what the peer sent, if that is not HTTP/2.
    """

    peer: Peer
    host: str
    source: str
    said: str = ""


def connect(host: str, port: int, left: Callable[[float], float]) -> Met:
    """Opens a connection, and closes it.

    Args:
        host: an address, or a name.
        port: the port.
        left: of a `Budget`.

    Raises:
        OSError: nothing accepts it.
        OutOfTimeError: no time is left.
    """
    with socket.create_connection((host, port), left(2.0)) as opened:
        there = opened.getpeername()[0]  # should the name have several addresses
        return meet(opened, lambda timeout: socket.create_connection((there, port), timeout), left)


def meet(
    opened: socket.socket, again: Callable[[float], socket.socket], left: Callable[[float], float]
) -> Met:
    """Tells who has accepted a connection.

    Args:
        opened: the connection.
        again: opens another one to the same address, in so many seconds at most.
        left: of a `Budget`.

    Raises:
        OutOfTimeError: no time is left.
    """
    there, source = _address(opened.getpeername()), _address(opened.getsockname())
    peer, said = _answer(opened, left(4.0) / 2)  # something is to be left for TLS
    if peer in (Peer.CLOSES, Peer.OTHER, Peer.SILENT) and _speaks_tls(again, left):
        peer, said = Peer.TLS, ""
    return Met(peer, there, source, said)


def _address(name: object) -> str:
    """The IP address in the name of a socket; empty for a Unix socket."""
    return str(cast("tuple[object, ...]", name)[0]) if isinstance(name, tuple) else ""


def _answer(opened: socket.socket, timeout: float) -> tuple[Peer, str]:
    """Who answers to the beginning of an HTTP/2 connection, and with what."""
    received = b""
    end = time.monotonic() + timeout
    try:
        opened.settimeout(timeout)
        opened.sendall(PREFACE + frame(SETTINGS))
        while len(received) < HEAD:
            opened.settimeout(max(end - time.monotonic(), 0.001))
            piece = opened.recv(1024)
            if not piece:
                break
            received += piece
        if _is_settings(received):
            opened.sendall(frame(GOAWAY, _NO_ERROR))
            return Peer.HTTP2, ""
    except TimeoutError:
        if not received:
            return Peer.SILENT, ""
    except OSError:  # it was reset
        pass
    if _is_settings(received):
        return Peer.HTTP2, ""
    if not received:
        return Peer.CLOSES, ""
    return Peer.OTHER, received.split(b"\r\n")[0][:40].decode("ascii", "backslashreplace")


def _is_settings(received: bytes) -> bool:
    return len(received) >= HEAD and received[3] == SETTINGS and received[5:9] == bytes(4)


def _speaks_tls(again: Callable[[float], socket.socket], left: Callable[[float], float]) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # whoever it is: nothing is sent to it
    context.set_alpn_protocols(["h2"])
    try:
        with again(left(1.0)) as opened:
            opened.settimeout(left(1.0))
            with context.wrap_socket(opened):
                return True
    except ssl.SSLError as error:
        # An alert is TLS too: the server may want a certificate, or another protocol.
        return "ALERT" in str(error)
    except (OSError, ValueError):
        return False
