"""The health service on servers of either kind: each has one board, and one health service that reads it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import Any, cast

import grpc
import grpc.aio

from .board import Board
from .rpcs import Methods

_boards: weakref.WeakKeyDictionary[object, Board] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def board_of(server: grpc.Server | grpc.aio.Server, *, serving: bool = True) -> Board:
    """The server's board. The first call for a server registers the health service on it too.

    A health service that users register on the same server themselves takes precedence, before or after.

    Args:
        server: any server of grpc's, sync or async.
        serving: whether the services of a new board serve until its server's life says otherwise.
    """
    with _making:
        board = _boards.get(server)
        if board is None:
            board = _boards[server] = Board(serving=serving)
            _register(_methods(board, server), server)
        return board


def _methods(board: Board, server: grpc.Server | grpc.aio.Server) -> Methods:
    # The twin that is not needed is not loaded.
    if isinstance(server, grpc.aio.Server):
        from .aio_service import methods_of as async_methods_of

        return async_methods_of(board)
    from .service import methods_of

    return methods_of(board)


def _register(methods: Methods, server: grpc.Server | grpc.aio.Server) -> None:
    handler = _Handler(methods)
    own = weakref.ref(server)  # grpc stops a server when its last reference goes: it must not refer to itself
    add = type(server).add_generic_rpc_handlers

    def add_before(generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        still_there = own()
        if still_there is not None:
            handlers = tuple(generic_rpc_handlers)
            add(cast("Any", still_there), handlers)
            handler.before += handlers

    # As a generic handler ours is asked after all that is registered so far, and after methods registered by
    # name, as grpcio's own health service is. Generic handlers that are added later are asked before it.
    server.add_generic_rpc_handlers((handler,))
    vars(server)["add_generic_rpc_handlers"] = add_before


class _Handler(grpc.GenericRpcHandler):
    """The health service, unless another handler of the server answers for it."""

    def __init__(self, methods: Methods) -> None:
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
