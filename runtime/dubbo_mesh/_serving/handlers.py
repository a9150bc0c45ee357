"""The handlers of one `dubbo_mesh` server: who answers a call."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

from .draining import Marking
from .strict_routing import StrictRouting
from .traffic import Traffic

if TYPE_CHECKING:
    from .._contract.service import Service

_log = logging.getLogger(__name__)

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_EXEMPT = ("/grpc.health.v1.Health/", "/grpc.reflection.")
"""Paths that are answered whatever the server's life or its users' interceptors say."""


class Handlers(grpc.GenericRpcHandler):
    """The table of a server's handlers.

    grpc's two ways to register become one: methods registered by name come first, as grpc has it, then
    generic handlers in their order. (An async server waits anew for every method registered by name at each
    call.)
    """

    def __init__(self, traffic: Traffic, *, asynchronous: bool, strict_routing: bool) -> None:
        self._traffic = traffic
        self._services: dict[str, Service] = {}
        self._strict = StrictRouting(self._services, asynchronous=asynchronous) if strict_routing else None
        self._by_path: dict[str, _Handler] = {}
        self._generic: list[grpc.GenericRpcHandler] = []
        self._marking = Marking(traffic)

    def register(self, service_name: str, methods: Mapping[str, _Handler]) -> None:
        """Adds methods by their names, as `grpc.Server.add_registered_method_handlers` does."""
        self._by_path.update({f"/{service_name}/{name}": handler for name, handler in methods.items()})

    def extend(self, generic: Iterable[grpc.GenericRpcHandler]) -> None:
        """Adds generic handlers, after those that are there.

        Raises:
            TypeError: one has no `service` method.
        """
        added = list(generic)
        for handler in added:
            if not callable(getattr(handler, "service", None)):
                raise TypeError(f"{handler!r} is not a grpc.GenericRpcHandler: it has no service method")
        self._generic += added

    def add(self, service: Service, methods: Mapping[str, _Handler]) -> None:
        """Adds the methods of one servicer of `service`."""
        self._services[service.name] = service
        self.register(service.name, methods)

    def around(self, interceptors: Sequence[Any]) -> list[Any]:
        """What the server passes to grpc as its interceptors, given its users'."""
        return list(interceptors)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> _Handler | None:
        """Finds the handler of a call."""
        path = handler_call_details.method
        if self._strict is not None:
            refusing = self._strict.service(handler_call_details)
            if refusing is not None:
                return refusing
        handler = self._by_path.get(path)
        if handler is None:
            for generic in self._generic:
                handler = generic.service(handler_call_details)
                if handler is not None:
                    break
            else:
                return None
        if self._traffic.leaving and not path.startswith(_EXEMPT):
            self._traffic.note_call()
        return self._marking.around(path, handler)


_tables: weakref.WeakKeyDictionary[object, Handlers] = weakref.WeakKeyDictionary()
_owning = threading.Lock()


def own(server: object, handlers: Handlers) -> None:
    """Makes `handlers` the table that servicers added to `server` go to."""
    with _owning:
        _tables[server] = handlers


def handlers_of(server: object) -> Handlers | None:
    """The table of a `dubbo_mesh` server; None for grpc's own servers."""
    with _owning:
        return _tables.get(server)
