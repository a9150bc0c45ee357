"""A sidecar's admin endpoint that records what it is asked, and answers or misbehaves as it is told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Self

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nOK\n"
LIVE = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nLIVE\n"
INITIALIZING = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 13\r\n\r\nINITIALIZING\n"
DRAINING = (
    b"HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n9\r\nDRAINING\n\r\n0\r\n\r\n"
)
REFUSED = b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n"


class FakeAdmin:
    """Answers one request per connection.

    Attributes:
        asked: each request line's method and path, with the time it came.
        answers: what is answered, by path (`""`: any other); bytes, or a function that does as it likes.
    """

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        self.asked: list[tuple[str, float]] = []
        self.answers: dict[str, bytes | Callable[[socket.socket], None]] = {"/ready": LIVE, "": OK}
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def requests(self) -> list[str]:
        """What was asked, in order."""
        return [request for request, _ in self.asked]

    def told(self) -> list[str]:
        """What it was told, in order: the POSTs."""
        return [request.removeprefix("POST ") for request in self.requests if request.startswith("POST ")]

    def close(self) -> None:
        if self._listener.fileno() != -1:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        with peer:
            head = b""
            while b"\r\n\r\n" not in head:
                received = peer.recv(4096)
                if not received:
                    return
                head += received
            method, path, _ = head.decode().split(" ", 2)
            self.asked.append((f"{method} {path}", time.monotonic()))
            answer = self.answers.get(path, self.answers[""])
            if callable(answer):
                answer(peer)
            else:
                peer.sendall(answer)
