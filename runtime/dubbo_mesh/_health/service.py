"""The health service on threads. `aio_service.py` is the twin."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import grpc

from . import rpcs
from .board import Board
from .messages import HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse
from .patience import MOST_WAITING, Patience
from .workers import Workers

_Request = TypeVar("_Request")
_Send = Callable[[HealthCheckResponse | None], None]
"""Sends a response; None ends the call."""

_IDLE_TIMEOUT = 30.0  # after a flood of callers their threads are not needed any more
_MOST_THREADS = MOST_WAITING + 16  # so that there is always one that waits for nobody


def methods_of(board: Board) -> rpcs.Methods:
    """The rpcs of the health service, for a server of `grpc`."""
    # Threads of its own: when calls hold all of the server's, the sidecar must still hear that it is alive.
    workers = Workers("dubbo-mesh-health", _MOST_THREADS, idle_timeout=_IDLE_TIMEOUT)
    patience = Patience()

    def check(requests: Iterator[HealthCheckRequest], context: grpc.ServicerContext) -> HealthCheckResponse:
        request = _the_request(requests, context, patience)
        serving = board.ask(request.service)
        if serving is None:
            context.abort(grpc.StatusCode.NOT_FOUND, rpcs.unknown(request.service))
        return rpcs.status(serving)

    def list_(requests: Iterator[HealthListRequest], context: grpc.ServicerContext) -> HealthListResponse:
        _the_request(requests, context, patience)
        return rpcs.all_statuses(board)

    for behavior in (check, list_):
        vars(behavior)["experimental_thread_pool"] = workers
    return rpcs.methods(check, _Watch(board, workers, patience), list_, read_by_handlers=True)


def _the_request(requests: Iterator[_Request], context: grpc.ServicerContext, patience: Patience) -> _Request:
    """Reads the one request of a call.

    For a handler of a single request grpc would do that, on a thread of the pool that cannot be had back. The
    handlers here are those of request streams, so that the wait is theirs to end.
    """
    with patience.waiting(context):
        request = next(requests, None)
    if request is None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "exactly one request message is required")
    return request


class _Watch:
    """The handler of Watch, which holds no thread while nothing changes.

    `experimental_non_blocking` is grpc's way to such handlers, and how grpcio's own health service does it.
    It belongs to the class, and with slots so does all else: an interceptor that wraps the handler by
    `functools.wraps` copies what an instance has, and grpc would then pass a third argument to its wrapper.
    A wrapped handler is a generator instead and runs on the server's own threads, as grpcio's does.
    """

    __slots__ = ("_board", "_patience", "experimental_thread_pool")

    __name__ = "Watch"
    experimental_non_blocking = True

    def __init__(self, board: Board, workers: Workers, patience: Patience) -> None:
        self._board = board
        self._patience = patience
        self.experimental_thread_pool = workers

    def __call__(
        self, requests: Iterator[HealthCheckRequest], context: grpc.ServicerContext, send: _Send | None = None
    ) -> Iterator[HealthCheckResponse] | None:
        request = _the_request(requests, context, self._patience)
        if send is None:
            return _watch_on_thread(self._board, request.service, context)
        watcher = _Watcher(
            self._board, request.service, context, send, self.experimental_thread_pool, self._patience
        )
        if context.add_callback(watcher.close):
            watcher.changed()
        else:
            watcher.close()
        return None


class _Watcher:
    """Tells one caller of Watch of changes, on the health service's threads."""

    def __init__(
        self,
        board: Board,
        service: str,
        context: grpc.ServicerContext,
        send: _Send,
        workers: Workers,
        patience: Patience,
    ) -> None:
        self._board = board
        self._service = service
        self._context = context
        self._send = send
        self._workers = workers
        self._patience = patience
        self._lock = threading.Lock()
        self._last: HealthCheckResponse | None = None
        self._news = False
        self._sending = False
        board.watch(self.changed)

    def close(self) -> None:
        self._board.unwatch(self.changed)

    def changed(self) -> None:
        with self._lock:
            self._news = True
            if self._sending:
                return
            self._sending = True
        self._workers.submit(self._send_news)

    def _send_news(self) -> None:
        while True:
            with self._lock:
                if not self._news:
                    self._sending = False
                    return
                self._news = False
            response = rpcs.status(self._board.ask(self._service))
            if response != self._last:
                self._last = response
                with self._patience.waiting(self._context):
                    self._send(response)
            if self._board.closed:
                self._send(None)
                return  # still "sending": there will be no more


def _watch_on_thread(
    board: Board, service: str, context: grpc.ServicerContext
) -> Iterator[HealthCheckResponse]:
    changed = threading.Event()
    context.add_callback(changed.set)
    with board.watched(changed.set):
        last: HealthCheckResponse | None = None
        while context.is_active():
            changed.clear()
            response = rpcs.status(board.ask(service))
            if response != last:
                yield response
                last = response
            if board.closed:
                return
            changed.wait()
