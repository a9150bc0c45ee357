"""Peers that answer an admin endpoint's requests as no Envoy does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

Behaviour: TypeAlias = Callable[[socket.socket, str], None]
"""What a peer does with a connection, once a request for a path has come. The connection is closed then."""

INFO: Any = {"version": "9e558093/1.40.0/Clean/RELEASE/BoringSSL", "state": "LIVE"}
"""As much of `/server_info` as tells an Envoy."""


class Peer:
    """A peer that is being asked.

    Attributes:
        address: `host:port`.
        requests: the first lines of all requests.
    """

    def __init__(self, listening: socket.socket, behaviour: Behaviour) -> None:
        host, port = listening.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.requests: list[str] = []
        self.closing = threading.Event()
        self._behaviour = behaviour

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            received = b""
            while b"\r\n\r\n" not in received:
                piece = connection.recv(4096)
                if not piece:
                    return
                received += piece
            line = received.partition(b"\r\n")[0].decode("latin-1")
            self.requests.append(line)
            self._behaviour(connection, line.split(" ")[1])


@contextmanager
def asked(behaviour: Behaviour, host: str = "127.0.0.1") -> Generator[Peer]:
    """A peer that behaves like this. Each connection has a thread."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        peer = Peer(listening, behaviour)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=peer.serve, args=[connection], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield peer
        listening.shutdown(socket.SHUT_RDWR)


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An HTTP response. Without a header that says otherwise, its end is that of the connection."""
    lines = [f"HTTP/1.1 {status}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(body: bytes) -> bytes:
    """An HTTP response in chunks, as Envoy's are."""
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return response(chunks, "server: envoy", "transfer-encoding: chunked")


def answering(answers: dict[str, Any], otherwise: Behaviour | None = None) -> Behaviour:
    """Answers as an Envoy does, paths without their query with JSON; others otherwise, or with 404."""

    def behave(connection: socket.socket, path: str) -> None:
        known = path.partition("?")[0]
        if known in answers:
            connection.sendall(chunked(json.dumps(answers[known]).encode()))
        elif otherwise is not None:
            otherwise(connection, path)
        else:
            connection.sendall(response(b"", "server: envoy", status="404 Not Found"))

    return behave


def sending(*pieces: bytes) -> Behaviour:
    """Sends this, whatever was asked for."""

    def behave(connection: socket.socket, _path: str) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return behave


def sending_for_ever(first: bytes, then: bytes) -> Behaviour:
    """Sends this again and again, as fast as it is taken."""

    def behave(connection: socket.socket, _path: str) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(then)

    return behave


def dripping(first: bytes, then: bytes = b" ") -> Behaviour:
    """Sends a byte now and then, and never ends."""

    def behave(connection: socket.socket, _path: str) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(then)
            threading.Event().wait(0.02)

    return behave
