"""Kubernetes probes, as Dubbo answers them: `GET /live`, `/ready` and `/startup`, 200 `true` or 503 `false`.

One thread serves all connections and never waits for any of them. The number of connections, the size of a
request and the time that a peer may take are bounded.
"""

from __future__ import annotations

import re
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from .._contract.logs import logger

_log = logger(__name__)

MOST_CONNECTIONS = 64
"""Connections that may be open; with one more, the one that has been open longest is closed."""

LARGEST_HEAD = 8192
"""Bytes that a request's line and headers may have."""

PATIENCE = 5.0
"""Seconds that a request may take to arrive, and that a connection may be idle."""

_BACKLOG = 1024  # a peer that finds it full tries again only after a second
_CLOSING = 1.0  # seconds that closing waits for the thread

_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) (/[^\s?#]*)(?:\?[^\s#]*)? HTTP/1\.([01])")
_HEADERS_END = re.compile(rb"\r?\n\r?\n")
_HAS_BODY = re.compile(rb"\n(?:content-length[ \t]*:[ \t]*0*[1-9]|transfer-encoding[ \t]*:)", re.IGNORECASE)
_CLOSE = re.compile(rb"\nconnection[ \t]*:[^\n]*\bclose\b", re.IGNORECASE)
_KEEP_ALIVE = re.compile(rb"\nconnection[ \t]*:[^\n]*\bkeep-alive\b", re.IGNORECASE)
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class Probes:
    """Answers the probes until it is closed."""

    def __init__(self, address: str, answers: Mapping[str, Callable[[], bool]]) -> None:
        """Listens, and starts the thread that answers.

        Args:
            address: `host:port` to listen on; port 0 for any free one. `[::]` means all addresses, IPv6 and
                IPv4; where the kernel has no IPv6, all IPv4 addresses.
            answers: the answer to each path; called on the probes' thread, so it must not block.

        Raises:
            OSError: `address` cannot be listened on.
        """
        self._listener = _listen(address)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        """The port it listens on."""
        self._answers = answers
        self._selector = selectors.DefaultSelector()
        self._connections: dict[socket.socket, _Connection] = {}  # oldest first
        self._waker, self._woken = socket.socketpair()
        self._closed = False
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="dubbo-mesh-probes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops answering, and closes all connections."""
        if not self._closed:
            self._closed = True
            with suppress(BrokenPipeError):  # the thread has seen it already, and ended
                self._waker.send(b"\0")
            self._thread.join(_CLOSING)
            self._waker.close()

    def _serve(self) -> None:
        try:
            while not self._closed:
                for key, _ in self._selector.select(self._until_next_deadline()):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._connections:  # else it has just made room for another
                        self._advance(key.data)
                self._drop_late()
        finally:
            for connection in tuple(self._connections.values()):
                self._drop(connection)
            self._selector.close()
            self._listener.close()
            self._woken.close()

    def _until_next_deadline(self) -> float | None:
        if not self._connections:
            return None
        return max(0.0, min(each.deadline for each in self._connections.values()) - time.monotonic())

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:  # the peer has gone again, or the process has no file descriptors left
            time.sleep(0.01)
            return
        peer.setblocking(False)
        if len(self._connections) >= MOST_CONNECTIONS:
            self._drop(next(iter(self._connections.values())))
        connection = _Connection(peer, self._answer)
        self._connections[peer] = connection
        self._selector.register(peer, selectors.EVENT_READ, connection)

    def _advance(self, connection: _Connection) -> None:
        try:
            open_still = connection.advance()
        except OSError:  # reset by the peer, or gone
            open_still = False
        if open_still:
            events = selectors.EVENT_WRITE if connection.has_answers else selectors.EVENT_READ
            self._selector.modify(connection.peer, events, connection)
        else:
            self._drop(connection)

    def _drop_late(self) -> None:
        now = time.monotonic()
        for connection in tuple(self._connections.values()):
            if connection.deadline <= now:
                self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        del self._connections[connection.peer]
        self._selector.unregister(connection.peer)
        connection.peer.close()

    def _answer(self, path: str) -> bool | None:
        answer = self._answers.get(path)
        if answer is None:
            return None
        try:
            return answer()
        except Exception:  # noqa: BLE001 - whatever it is, the thread has others to answer
            _log.exception("probe %s could not be answered", path)
            return False


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if host != "::":
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            (host, int(port)), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
        )
    return socket.create_server(("0.0.0.0", int(port)), backlog=_BACKLOG)  # noqa: S104 - as asked for


class _Connection:
    """One peer: what has been received of its requests, and what is still to be sent to it."""

    def __init__(self, peer: socket.socket, answer: Callable[[str], bool | None]) -> None:
        self.peer = peer
        self.deadline = time.monotonic() + PATIENCE
        self._answer = answer
        self._received = bytearray()
        self._answers = b""
        self._closing = False

    @property
    def has_answers(self) -> bool:
        return bool(self._answers)

    def advance(self) -> bool:
        """Receives or sends what is possible without waiting; returns whether the connection stays open."""
        try:
            if self._answers:
                self._send()
            elif not self._receive():
                return False
        except BlockingIOError:
            return True
        return bool(self._answers) or not self._closing

    def _receive(self) -> bool:
        received = self.peer.recv(LARGEST_HEAD)
        self._received += received
        if received:
            self._answer_next()
        return bool(received) or bool(self._answers)

    def _send(self) -> None:
        sent = self.peer.send(self._answers)
        self._answers = self._answers[sent:]
        if not self._answers and not self._closing:
            self.deadline = time.monotonic() + PATIENCE
            self._answer_next()  # a pipelined request is answered when the answer before it has been sent

    def _answer_next(self) -> None:
        # Blank lines before a request are to be ignored (RFC 9112, 2.2).
        while self._received.startswith((b"\r", b"\n")):
            del self._received[0]
        end = _HEADERS_END.search(self._received)
        if end is None:
            if len(self._received) >= LARGEST_HEAD:
                self._refuse(431)
            return
        head = bytes(self._received[: end.start()])
        del self._received[: end.end()]
        if len(head) > LARGEST_HEAD:
            self._refuse(431)
        else:
            self._answer_request(head)

    def _answer_request(self, head: bytes) -> None:
        line, _, _ = head.partition(b"\n")
        request = _REQUEST_LINE.fullmatch(line.rstrip(b"\r"))
        if request is None:
            self._refuse(400)
            return
        method, path, minor = request.groups()
        if _HAS_BODY.search(head):
            self._refuse(413)
            return
        keep = _KEEP_ALIVE.search(head) if minor == b"0" else not _CLOSE.search(head)
        self._closing = not keep
        answer = self._answer(path.decode("latin-1"))
        if answer is None:
            self._put(404, b"not found", method)
        elif method not in (b"GET", b"HEAD"):
            self._put(405, b"only GET", method)
        elif answer:
            self._put(200, b"true", method)
        else:
            self._put(503, b"false", method)

    def _refuse(self, status: int) -> None:
        self._closing = True
        self._received.clear()
        self._put(status, _REASONS[status].lower().encode(), b"GET")

    def _put(self, status: int, body: bytes, method: bytes) -> None:
        allow = "Allow: GET, HEAD\r\n" if status == 405 else ""
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"Cache-Control: no-store\r\n"
            f"{allow}"
            f"Connection: {'close' if self._closing else 'keep-alive'}\r\n\r\n"
        ).encode()
        self._answers = head + (b"" if method == b"HEAD" else body)
