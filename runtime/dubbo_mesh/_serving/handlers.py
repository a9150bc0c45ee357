"""The handlers of one `dubbo_mesh` server: which of them answers a call."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc

from .._contract.logs import logger
from .._contract.service import Service
from .answers import Refusal
from .layer import Handler, Layer, is_exempt
from .routing import Provider, Providers
from .traffic import Traffic

_log = logger(__name__)


class Handlers(grpc.GenericRpcHandler):
    """The table of a server's handlers, and the layer around them.

    grpc's two ways to register become one: methods registered by name come first, as grpc has it, then
    generic handlers in their order. (An async server of grpc's waits anew, at each call, for every method
    that is registered by name.)
    """

    def __init__(self, traffic: Traffic, *, asynchronous: bool, strict_routing: bool) -> None:
        """An empty table.

        Args:
            traffic: how calls are to be treated at this point of the server's life.
            asynchronous: whether the server is one of grpc.aio.
            strict_routing: whether a call must ask for exactly the version and group of a servicer.
        """
        self._traffic = traffic
        self._strict = strict_routing
        self._layer = _layer(traffic, asynchronous=asynchronous)
        self._intercepted = False
        self._registered: dict[str, Handler] = {}
        self._providers: dict[str, Providers[Handler]] = {}
        self._generic: list[grpc.GenericRpcHandler] = []
        self._ready: dict[str, Handler] = {}  # by path: answers whatever a call's metadata say

    def register(self, service_name: str, methods: Mapping[str, Handler]) -> None:
        """Adds methods by their names, as `grpc.Server.add_registered_method_handlers` does."""
        added = {f"/{service_name}/{name}": handler for name, handler in methods.items()}
        if service_name in self._providers or not added.keys().isdisjoint(self._registered):
            _log.warning("%s is added twice: the servicer that was added by name last answers", service_name)
        self._registered.update(added)
        self._ready.clear()

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

    def add(self, service: Service, methods: Mapping[str, Handler], owner: str = "a servicer") -> None:
        """Adds a servicer of `service`. Several are told apart by version and group.

        Args:
            service: with the servicer's version and group.
            methods: its handlers by rpc name, aliases included.
            owner: the servicer's class, for messages.

        Raises:
            ValueError: there is one of the same version and group already.
        """
        providers = self._providers.setdefault(service.name, Providers(service.name, strict=self._strict))
        providers.add(Provider(service, dict(methods), owner))
        self._ready.clear()

    def service_names(self) -> set[str]:
        """The full names of all services, as far as their handlers tell."""
        names = {path[1:].rpartition("/")[0] for path in self._registered}
        for generic in self._generic:
            if isinstance(generic, grpc.ServiceRpcHandler):
                names.add(generic.service_name())
        return names.union(self._providers)

    def around(self, interceptors: Sequence[Any]) -> list[Any]:
        """The interceptors of the server, given its users'.

        With interceptors the outermost layer is the first of them; without any it is in the table.
        """
        self._intercepted = bool(interceptors)
        return [self._layer.interceptor(self.service), *interceptors] if interceptors else []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """Finds the handler of a call; called by grpc."""
        path = handler_call_details.method
        ready = self._ready.get(path)
        if ready is not None and not self._traffic.leaving:
            return ready
        if self._intercepted and not is_exempt(path):
            try:
                return self._find(handler_call_details)[0]
            except Refusal as refusal:
                return self._layer.refusing(refusal)
        self._layer.arrives(path)
        try:
            handler, variant = self._find(handler_call_details)
            answering = self._layer.around(path, handler, variant=variant)
        except BaseException as error:  # noqa: BLE001 - a user's generic handler may raise anything
            return self._layer.failed(error)
        if answering is not None and self._answers_every_call(path):
            self._ready[path] = answering
        return answering

    def _find(self, details: grpc.HandlerCallDetails) -> tuple[Handler | None, str]:
        """The handler as it was registered, and what tells it from others that answer the same path.

        Raises:
            Refusal: no servicer is of the version and group that the call asks for.
        """
        path = details.method
        handler = self._registered.get(path)
        if handler is not None:
            return handler, ""
        name, _, rpc = path[1:].rpartition("/")
        providers = self._providers.get(name)
        if providers is not None:
            provider = providers.choose(details.invocation_metadata)
            if provider is None:
                raise Refusal(grpc.StatusCode.UNIMPLEMENTED, providers.refusal(details.invocation_metadata))
            handler = provider.handlers.get(rpc)
            if handler is not None:
                return handler, provider.service.key
        for generic in self._generic:
            handler = generic.service(details)
            if handler is not None:
                return handler, ""
        return None, ""

    def _answers_every_call(self, path: str) -> bool:
        if path in self._registered:
            return True
        name, _, rpc = path[1:].rpartition("/")
        provider = self._providers[name].for_every_call() if name in self._providers else None
        return provider is not None and rpc in provider.handlers


def _layer(traffic: Traffic, *, asynchronous: bool) -> Layer:
    # The twin that is not needed is not loaded.
    if asynchronous:
        from .aio_outermost import Outermost as AsyncOutermost

        return AsyncOutermost(traffic)
    from .outermost import Outermost

    return Outermost(traffic)


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
