"""The health service on threads. `aio_service.py` is the twin."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import grpc

from . import rpcs
from .board import Board
from .messages import HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse
from .workers import Workers

_THREADS = 32  # started as needed; a caller that sends no request holds one


def methods_of(board: Board) -> rpcs.Methods:
    """The rpcs of the health service, for a server of `grpc`."""
    # Threads of its own: when calls hold all of the server's, the sidecar must still hear that it is alive.
    workers = Workers("dubbo-mesh-health", _THREADS)

    def check(request: HealthCheckRequest, context: grpc.ServicerContext) -> HealthCheckResponse:
        serving = board.is_serving(request.service)
        if serving is None:
            context.abort(grpc.StatusCode.NOT_FOUND, rpcs.unknown(request.service))
        return rpcs.status(serving)

    def list_(request: HealthListRequest, context: grpc.ServicerContext) -> HealthListResponse:
        return rpcs.all_statuses(board)

    def watch(
        request: HealthCheckRequest,
        context: grpc.ServicerContext,
        send: Callable[[HealthCheckResponse | None], None] | None = None,
    ) -> Iterator[HealthCheckResponse] | None:
        if send is None:  # an interceptor has hidden what lets a watch do without a thread
            return _watch_on_thread(board, request.service, context)
        watcher = _Watcher(board, request.service, send, workers)
        board.watch(watcher.changed)
        if context.add_callback(lambda: board.unwatch(watcher.changed)):
            watcher.changed()
        else:
            board.unwatch(watcher.changed)
        return None

    # How grpcio's own health service keeps Check off the server's threads, and Watch off any.
    for behavior in (check, list_, watch):
        vars(behavior)["experimental_thread_pool"] = workers
    vars(watch)["experimental_non_blocking"] = True
    return rpcs.methods(check, watch, list_)


class _Watcher:
    """Tells one caller of Watch on a sync server of changes, on the health service's threads."""

    def __init__(
        self,
        board: Board,
        service: str,
        send: Callable[[HealthCheckResponse | None], None],
        workers: Workers,
    ) -> None:
        self._board = board
        self._service = service
        self._send = send
        self._workers = workers
        self._lock = threading.Lock()
        self._last: HealthCheckResponse | None = None
        self._news = False
        self._sending = False
        self._ended = False

    def changed(self) -> None:
        with self._lock:
            self._news = True
            if self._sending or self._ended:
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
            response = rpcs.status(self._board.is_serving(self._service))
            if response != self._last:
                self._send(response)
                self._last = response
            if self._board.closed:
                self._ended = True
                self._send(None)
                return


def _watch_on_thread(
    board: Board, service: str, context: grpc.ServicerContext
) -> Iterator[HealthCheckResponse]:
    changed = threading.Event()
    context.add_callback(changed.set)
    with board.watched(changed.set):
        last: HealthCheckResponse | None = None
        while context.is_active():
            changed.clear()
            response = rpcs.status(board.is_serving(service))
            if response != last:
                yield response
                last = response
            if board.closed:
                return
            changed.wait()
