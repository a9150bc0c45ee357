"""An HTTP/2 server that keeps requests as they stood on the wire, and answers in ways no gRPC server does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import h2.config
import h2.connection
import h2.errors
import h2.events

Headers = tuple[tuple[str, str], ...]

_EMPTY_MESSAGE = b"\0" * 5  # not compressed, of length 0


@dataclass(frozen=True)
class Answer:
    """What the server does with a request: by default, what gRPC does with an empty message.

    Attributes:
        status: the HTTP status; anything but 200 comes without a body.
        headers: response headers beside those of gRPC.
        reset: reset the stream with this error instead.
    """

    status: int = 200
    headers: Headers = ()
    reset: h2.errors.ErrorCodes | None = None


class WireServer:
    """Serves on a free port of localhost, in threads of its own, until the end of the `with` block.

    Args:
        answer: says what to do with a request, from its headers.

    Attributes:
        address: `host:port`.
        requests: the headers of each request, in the order and the spelling they had.
    """

    def __init__(self, answer: Callable[[dict[str, str]], Answer] = lambda _: Answer()) -> None:
        self._answer = answer
        self.requests: list[Headers] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._accepted: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # close() alone does not wake who waits in accept() and recv().
        self._listening.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listening.close()
        for connection in self._accepted:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the peer has gone already
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            self._accepted.append(accepted)
            self._threads.append(threading.Thread(target=self._serve, args=(accepted,)))
            self._threads[-1].start()

    def _serve(self, peer: socket.socket) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        asked: dict[int, Headers] = {}
        with peer:
            try:
                peer.sendall(connection.data_to_send())
                while data := peer.recv(65536):
                    for event in connection.receive_data(data):
                        if isinstance(event, h2.events.RequestReceived):
                            asked[event.stream_id] = tuple((str(k), str(v)) for k, v in event.headers)
                        elif isinstance(event, h2.events.DataReceived):
                            connection.acknowledge_received_data(
                                event.flow_controlled_length, event.stream_id
                            )
                        elif isinstance(event, h2.events.StreamEnded):
                            headers = asked.pop(event.stream_id)
                            self.requests.append(headers)
                            _send(connection, event.stream_id, self._answer(dict(headers)))
                    peer.sendall(connection.data_to_send())
            except OSError:
                return  # the peer has gone


def _send(connection: h2.connection.H2Connection, stream: int, answer: Answer) -> None:
    status = (":status", str(answer.status))
    if answer.reset is not None:
        connection.reset_stream(stream, answer.reset)
    elif answer.status != 200:
        connection.send_headers(stream, [status, *answer.headers], end_stream=True)
    else:
        connection.send_headers(stream, [status, ("content-type", "application/grpc"), *answer.headers])
        connection.send_data(stream, _EMPTY_MESSAGE)
        connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
