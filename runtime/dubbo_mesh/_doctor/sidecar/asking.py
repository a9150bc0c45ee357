"""Asks the sidecar's admin endpoint, bounded in time and in size whatever the other side does. Only GETs.

The timeout of `http.client` is for each read from the socket, so a peer that sends a byte now and then is
never late. Here each read gets what is left of the whole.
"""

from __future__ import annotations

import io
import socket
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, IncompleteRead
from typing import IO, Any, cast

from ..budget import Budget

LARGEST = 256 * 2**20
"""Bytes that an answer may have. Dumps of large meshes have tens of millions."""

_PIECE = 1 << 20
_HEADERS = 1 << 18
"""Bytes that the status line and the headers may have. Envoy's have a few hundred."""


class UnreachableError(OSError):
    """Nothing accepts connections at the address, or its host has none."""


class StrangeError(ValueError):
    """What answers does not speak HTTP as Envoy does."""


class LargeError(ValueError):
    """The answer is too large."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP.

    Attributes:
        status: the HTTP status.
        server: the `server` header; empty if there is none.
        encoding: the `content-encoding` header; empty if there is none.
        body: its body; empty unless the status is 200 or 503.
    """

    status: int
    server: str
    encoding: str
    body: bytearray


def ask(
    admin: str, path: str, budget: Budget, at_most: float = float("inf"), most: int | None = None
) -> Answer:
    """GETs `path` of an admin endpoint. Redirects are not followed.

    Args:
        admin: `host:port`.
        path: with the query.
        budget: the time that is left for everything.
        at_most: seconds that this may take.
        most: bytes that the answer may have; by default `LARGEST`.

    Raises:
        UnreachableError: no connection could be made.
        TimeoutError: there was no whole answer in time.
        OSError: the connection broke.
        StrangeError: the answer is not HTTP, or not whole.
        LargeError: it has more than `most` bytes.
    """
    budget = budget.part(at_most)
    host, _, port = admin.rpartition(":")
    connection = _Connection(host.strip("[]"), int(port), budget)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return _answer(connection, LARGEST if most is None else most)
    except IncompleteRead:
        raise StrangeError("the answer ends too early") from None
    except (HTTPException, ValueError) as error:
        if isinstance(error, LargeError):
            raise
        raise StrangeError(f"the answer is not HTTP ({type(error).__name__})") from error
    finally:
        connection.close()


def _answer(connection: _Connection, most: int) -> Answer:
    answer = connection.getresponse()
    with answer:
        body = bytearray()
        if answer.status in (200, 503):
            connection.received.most = most
            while piece := answer.read(_PIECE):
                body += piece
            if answer.length:
                raise StrangeError("the answer ends too early")
        server, encoding = answer.getheader("server", ""), answer.getheader("content-encoding", "")
        return Answer(answer.status, server, encoding, body)


class _Connection(HTTPConnection):
    """A connection of which every step gets what is left of the time.

    Attributes:
        received: what has come.
    """

    received: _Received

    def __init__(self, host: str, port: int, budget: Budget) -> None:
        super().__init__(host, port)
        self._budget = budget

    def connect(self) -> None:
        """Connects to the first address of the host that accepts.

        Raises:
            UnreachableError: none does.
            TimeoutError: that took too long.
        """
        self.received = _Received(_connected(self.host, self.port, self._budget), self._budget)
        self.sock = cast("socket.socket", _Socket(self.received))


def _connected(host: str, port: int, budget: Budget) -> socket.socket:
    def resolve() -> list[Any]:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    try:
        addresses = budget.run(resolve)
    except TimeoutError:
        raise TimeoutError(f"{host} could not be resolved in time") from None
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise UnreachableError(f"{host} cannot be resolved: {reason or 'it is no host name'}") from error
    why: OSError | None = None
    for family, kind, protocol, _, address in addresses:
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(budget.left())
            opened.connect(address)
        except OSError as error:
            opened.close()
            why = error
        else:
            return opened
    if isinstance(why, TimeoutError):
        raise TimeoutError("no connection in time") from why
    raise UnreachableError(why.strerror or str(why) if why else f"{host} has no address") from why


class _Received(io.RawIOBase):
    """What a socket receives, as a file.

    Attributes:
        opened: the socket.
        most: bytes that may come.
    """

    def __init__(self, opened: socket.socket, budget: Budget) -> None:
        self.opened = opened
        self.most = _HEADERS
        self._budget = budget
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if self._bytes > self.most:
            raise LargeError(f"the answer has more than {self.most:,} bytes")
        self.opened.settimeout(self._budget.left())
        size = self.opened.recv_into(buffer)
        self._bytes += size
        return size

    def close(self) -> None:
        super().close()
        self.opened.close()


class _Socket:
    """As much of a socket as `http.client` needs."""

    def __init__(self, received: _Received) -> None:
        self._received = received

    def makefile(self, _mode: str) -> IO[bytes]:
        return io.BufferedReader(self._received, 1 << 16)

    def sendall(self, data: bytes) -> None:
        self._received.opened.sendall(data)

    def close(self) -> None:
        """Does nothing: the file closes the socket."""
