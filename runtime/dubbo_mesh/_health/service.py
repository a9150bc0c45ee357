"""The health of a server's services, as `grpc.health.v1.Health` tells it.

A server has one board. Services come onto it as they are added to the server; under `dubbo_mesh.Server` its
lifecycle says whether they serve, on a server that users start themselves they serve from the beginning.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import grpc
import grpc.aio

from .._serving.workers import Workers
from .messages import HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._contract.service import Service

WHOLE_SERVER = ""
"""The name under which health checkers ask for the server as a whole."""

HEALTH = "grpc.health.v1.Health"

_SERVING = HealthCheckResponse.SERVING
_NOT_SERVING = HealthCheckResponse.NOT_SERVING
_SERVICE_UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN

_THREADS = 32  # started as needed; a caller that sends no request holds one


class Board:
    """Which services a server has, and whether each takes calls. Safe to use from several threads.

    A service serves while the server does, while nobody has taken it or the whole server out, and while no
    health check of it or of the whole server fails.
    """

    def __init__(self, *, serving: bool) -> None:
        self._lock = threading.Lock()
        self._services: dict[str, Service] = {}
        self._reported: dict[str, str] = {WHOLE_SERVER: WHOLE_SERVER}  # as asked for -> service's full name
        self._serving = serving
        self._taken_out: set[str] = set()
        self._failing: dict[object, str] = {}  # health check -> service
        self._closed = False
        self._watchers: set[Callable[[], None]] = set()

    @property
    def services(self) -> tuple[Service, ...]:
        """The services, in the order they were added."""
        with self._lock:
            return tuple(self._services.values())

    def service(self, name: str) -> Service | None:
        """The service of that full name."""
        return self._services.get(name)

    @property
    def closed(self) -> bool:
        """Whether watches are to end."""
        return self._closed

    def add(self, service: Service) -> None:
        """Reports `service`, under its full name and under its Dubbo service key."""
        with self._lock:
            self._services[service.name] = service
            self._reported[service.name] = service.name
            self._reported[service.key] = service.name
        self._tell()

    def serve(self, serving: bool) -> None:
        """Says whether the server as a whole takes calls, as its lifecycle has it."""
        with self._lock:
            self._serving = serving
        self._tell()

    def take(self, service: str, *, out: bool) -> None:
        """Takes a service out, or back in, as its owner wants it.

        Raises:
            KeyError: there is no such service on this server.
        """
        with self._lock:
            name = self._reported[service]
            if out:
                self._taken_out.add(name)
            else:
                self._taken_out.discard(name)
        self._tell()

    def note(self, check: object, service: str, *, passed: bool) -> None:
        """Notes what a health check of `service` found.

        Raises:
            KeyError: there is no such service on this server.
        """
        with self._lock:
            name = self._reported[service]
            if passed is (check not in self._failing):
                return
            if passed:
                del self._failing[check]
            else:
                self._failing[check] = name
        self._tell()

    def is_serving(self, service: str) -> bool | None:
        """Whether `service`, by any of the names it is reported under, takes calls; None if it is unknown."""
        with self._lock:
            return self._is_serving(service)

    def snapshot(self) -> dict[str, bool]:
        """Whether each takes calls, by all the names that are reported."""
        with self._lock:
            return {name: bool(self._is_serving(name)) for name in self._reported}

    def close(self) -> None:
        """Ends all watches, so that they do not hold up the server's graceful stop."""
        self._closed = True
        self._tell()

    @contextmanager
    def watched(self, changed: Callable[[], None]) -> Generator[None, None, None]:
        """Calls `changed` whenever something may have changed, on any thread; it must not block."""
        self.watch(changed)
        try:
            yield
        finally:
            self.unwatch(changed)

    def watch(self, changed: Callable[[], None]) -> None:
        """Calls `changed` from now on, as `watched` does."""
        with self._lock:
            self._watchers.add(changed)

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Calls `changed` no more."""
        with self._lock:
            self._watchers.discard(changed)

    def _is_serving(self, service: str) -> bool | None:
        name = self._reported.get(service)
        if name is None:
            return None
        against = (*self._taken_out, *self._failing.values())
        return self._serving and WHOLE_SERVER not in against and name not in against

    def _tell(self) -> None:
        with self._lock:
            watchers = tuple(self._watchers)
        for changed in watchers:
            changed()


_boards: weakref.WeakKeyDictionary[object, Board] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def board_of(server: grpc.Server | grpc.aio.Server, *, serving: bool = True) -> Board:
    """The server's board. The first time, the health service is registered on the server too.

    A health service of the user's own on the same server wins, whether it was registered before or will be
    after.

    Args:
        server: any server of grpc's, sync or async.
        serving: whether the services of a new board serve before anybody says so.
    """
    with _making:
        board = _boards.get(server)
        if board is None:
            board = _boards[server] = Board(serving=serving)
            _register(board, server)
        return board


def _register(board: Board, server: grpc.Server | grpc.aio.Server) -> None:
    methods = _async_methods(board) if isinstance(server, grpc.aio.Server) else _sync_methods(board)
    handler = _Handler(methods)
    own = weakref.ref(server)  # a server must not hold itself: grpc stops one that nobody has any more
    add = type(server).add_generic_rpc_handlers

    def add_before(generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        still_there = own()
        if still_there is not None:
            handlers = tuple(generic_rpc_handlers)
            add(cast("Any", still_there), handlers)
            handler.before += handlers

    # As a generic handler ours yields to whatever was registered so far, and to methods registered by name
    # (as the health service's own add function does). Generic handlers yet to come are asked before it.
    server.add_generic_rpc_handlers((handler,))
    vars(server)["add_generic_rpc_handlers"] = add_before


class _Handler(grpc.GenericRpcHandler):
    """Answers for the health service, unless another handler of the server does."""

    def __init__(self, methods: dict[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
        self._methods = methods
        self.before: tuple[grpc.GenericRpcHandler, ...] = ()

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        ours = self._methods.get(handler_call_details.method)
        if ours is None:
            return None
        for handler in self.before:
            theirs = handler.service(handler_call_details)
            if theirs is not None:
                return theirs
        return ours


def _sync_methods(board: Board) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
    # Threads of its own: when calls hold all of the server's, the sidecar must still hear that it is alive.
    workers = Workers("dubbo-mesh-health", _THREADS)

    def check(request: HealthCheckRequest, context: grpc.ServicerContext) -> HealthCheckResponse:
        serving = board.is_serving(request.service)
        if serving is None:
            context.abort(grpc.StatusCode.NOT_FOUND, _unknown(request.service))
        return _response(serving)

    def list_(request: object, context: grpc.ServicerContext) -> object:
        return _list_response(board)

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
    return _handlers(check, watch, list_)


def _async_methods(board: Board) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
    async def check(
        request: HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> HealthCheckResponse:
        serving = board.is_serving(request.service)
        if serving is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, _unknown(request.service))
        return _response(serving)

    async def list_(request: object, context: grpc.aio.ServicerContext[Any, Any]) -> object:
        return _list_response(board)

    async def watch(
        request: HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[HealthCheckResponse]:
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody watches any more
                loop.call_soon_threadsafe(changed.set)

        with board.watched(wake):
            last: HealthCheckResponse | None = None
            while True:
                changed.clear()
                response = _response(board.is_serving(request.service))
                if response != last:
                    yield response
                    last = response
                if board.closed:
                    return
                await changed.wait()

    return _handlers(check, watch, list_)


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
            response = _response(self._board.is_serving(self._service))
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
            response = _response(board.is_serving(service))
            if response != last:
                yield response
                last = response
            if board.closed:
                return
            changed.wait()


def _response(serving: bool | None) -> HealthCheckResponse:
    if serving is None:
        return HealthCheckResponse(status=_SERVICE_UNKNOWN)
    return HealthCheckResponse(status=_SERVING if serving else _NOT_SERVING)


def _unknown(service: str) -> str:
    shown = service if len(service) <= 100 else service[:100] + "…"
    return f"no service {shown!r} on this server"


def _list_response(board: Board) -> object:
    response = HealthListResponse()
    for name, serving in board.snapshot().items():
        response.statuses[name].CopyFrom(_response(serving))
    return response


def _handlers(
    check: Callable[..., Any], watch: Callable[..., Any], list_: Callable[..., Any]
) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
    request = HealthCheckRequest.FromString
    response = HealthCheckResponse.SerializeToString
    list_request, list_response = HealthListRequest.FromString, HealthListResponse.SerializeToString
    return {
        f"/{HEALTH}/Check": grpc.unary_unary_rpc_method_handler(check, request, response),
        f"/{HEALTH}/Watch": grpc.unary_stream_rpc_method_handler(watch, request, response),
        f"/{HEALTH}/List": grpc.unary_unary_rpc_method_handler(list_, list_request, list_response),
    }
