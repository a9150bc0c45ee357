"""The contexts that a `dubbo_mesh` server passes to sync handlers. `aio_contexts` is the twin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NoReturn

import grpc
import grpc.aio

from .draining import marked
from .traffic import Traffic

Metadata = Iterable[tuple[str, str | bytes]]


def adopting(traffic: Traffic) -> Callable[[Any], Any]:
    """Returns a function that adopts grpc's own contexts of sync handlers.

    An adopted context marks what it sends while the server is leaving, and has `dubbo_mesh_aborted`: whether
    the call was aborted. It stays the object that it was, of a subclass of its class: interceptors and
    handlers may keep attributes on it.
    """
    classes: dict[type, type] = {}

    def adopt(context: Any) -> Any:
        cls = context.__class__
        adopted = classes.get(cls)
        if adopted is None:
            adopted = classes[cls] = _adopted_class(cls, traffic)
        try:
            context.__class__ = adopted
        except TypeError:  # of another implementation than grpcio's
            return RecordingContext(context, traffic)
        return context

    return adopt


def _adopted_class(cls: Any, traffic: Traffic) -> type:
    def send_initial_metadata(self: Any, initial_metadata: Metadata) -> None:
        cls.send_initial_metadata(self, marked(initial_metadata) if traffic.leaving else initial_metadata)

    def abort(self: Any, code: grpc.StatusCode, details: str) -> None:
        self.dubbo_mesh_aborted = True
        cls.abort(self, code, details)

    namespace = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "dubbo_mesh_aborted": False,
        "send_initial_metadata": send_initial_metadata,
        "abort": abort,
    }
    return type(cls.__name__, (cls,), namespace)


class RecordingContext:
    """Stands in for the context that grpc.aio passes to sync handlers.

    That one accepts no attributes, and cannot be asked which status or metadata have been set.
    """

    def __init__(self, context: Any, traffic: Traffic) -> None:
        self._context = context
        self._traffic = traffic
        self._code: Any = None
        self._details: str | None = None
        self._trailing: Any = ()
        self.dubbo_mesh_aborted = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def set_code(self, code: Any) -> None:
        self._context.set_code(code)
        self._code = code

    def code(self) -> Any:
        return self._code

    def set_details(self, details: str) -> None:
        self._context.set_details(details)
        self._details = details

    def details(self) -> bytes | None:
        return None if self._details is None else self._details.encode()

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        pairs = tuple(trailing_metadata)
        self._context.set_trailing_metadata(pairs)
        self._trailing = pairs

    def trailing_metadata(self) -> Any:
        return self._trailing

    def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        if self._traffic.leaving:
            initial_metadata = marked(initial_metadata)
        self._context.send_initial_metadata(initial_metadata)

    def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()) -> NoReturn:
        """As grpc.aio has it: sends the status at once.

        Raises:
            AbortError: always, so that the handler ends.
        """
        self.dubbo_mesh_aborted = True
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        if self._traffic.leaving:
            self.set_trailing_metadata(marked(self._trailing))
        self._code, self._details = code, details
        self._context.abort(code, details)
        raise grpc.aio.AbortError("Locally aborted.")  # older versions of grpcio do not

    def abort_with_status(self, status: Any) -> NoReturn:
        self.abort(status.code, status.details, status.trailing_metadata or ())


grpc.ServicerContext.register(RecordingContext)


def mark_response(context: Any) -> None:
    """Marks a response that has a message: in its initial metadata, unless they have been sent."""
    with suppress(ValueError, grpc.RpcError, grpc.aio.BaseError):  # sent already, or the caller is gone
        context.send_initial_metadata(())


def mark_status(context: Any) -> None:
    """Marks a response that is a status alone. It stays one, since Envoy retries no others."""
    context.set_trailing_metadata(marked(context.trailing_metadata()))
