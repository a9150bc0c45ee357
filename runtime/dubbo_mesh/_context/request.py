"""The request being served: what the sidecar and the caller said of it, and what travels on from it."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from .attachments import Metadata, read_attachments

if TYPE_CHECKING:
    from .client_cert import ClientCert

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_NO_DEADLINE = 10 * 365 * 86_400.0  # seconds; grpcio's sync server tells of no deadline by one so far away


class ServicerContext(Protocol):
    """What is needed of grpc's servicer context, sync or async."""

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """The request's headers."""

    def time_remaining(self) -> float | None:
        """Seconds to the request's deadline."""


class RequestContext:
    """A request being served. Cheap to make: each attribute is worked out when it is first asked for."""

    def __init__(self, context: ServicerContext) -> None:
        self._context = context
        self._carried: dict[frozenset[str], Metadata] = {}

    @cached_property
    def metadata(self) -> Metadata:
        """The request's headers, as gRPC metadata in the order they came."""
        return tuple((key, value) for key, value in self._context.invocation_metadata() or ())

    @cached_property
    def deadline(self) -> float | None:
        """When the caller stops waiting, in seconds since the epoch as `time.time()` has it; None: never."""
        remaining = self._context.time_remaining()
        if remaining is None or remaining > _NO_DEADLINE:
            return None
        return time.time() + remaining

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, 0 when it has passed; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.time())

    @property
    def request_id(self) -> str | None:
        """`x-request-id`, which Envoy makes where the caller has none."""
        return self._text("x-request-id")

    @property
    def attempt(self) -> int | None:
        """Which attempt this is, counted from 1, where the caller's sidecar tells (`x-envoy-attempt-count`).

        Envoy tells if the route's virtual host has `include_request_attempt_count`, as Istio's have.
        """
        return self._number("x-envoy-attempt-count")

    @property
    def expected_timeout(self) -> float | None:
        """Seconds that the sidecar gives the request (`x-envoy-expected-rq-timeout-ms`)."""
        milliseconds = self._number("x-envoy-expected-rq-timeout-ms")
        return None if milliseconds is None else milliseconds / 1000

    @property
    def caller_app(self) -> str | None:
        """The calling application's own name (`tri-consumer-appname`)."""
        return self._text("tri-consumer-appname")

    @property
    def caller_cluster(self) -> str | None:
        """`--service-cluster` of the caller's Envoy (`x-envoy-downstream-service-cluster`)."""
        return self._text("x-envoy-downstream-service-cluster")

    @property
    def caller_node(self) -> str | None:
        """`--service-node` of the caller's Envoy (`x-envoy-downstream-service-node`)."""
        return self._text("x-envoy-downstream-service-node")

    @property
    def internal(self) -> bool:
        """Whether Envoy holds the request to come from inside the mesh (`x-envoy-internal: true`)."""
        return self._text("x-envoy-internal") == "true"

    @property
    def external_address(self) -> str | None:
        """The client's address, of a request from outside (`x-envoy-external-address`)."""
        return self._text("x-envoy-external-address")

    @cached_property
    def client_certs(self) -> tuple[ClientCert, ...]:
        """`x-forwarded-client-cert`, an element for each proxy passed; empty if there is none or it is bad.

        Only as true as the sidecar makes it: Envoy sanitizes or sets the header by its
        `forward_client_cert_details`.
        """
        from .client_cert import parse_xfcc

        return parse_xfcc(",".join(value for value in self._all("x-forwarded-client-cert")))

    @property
    def client_cert(self) -> ClientCert | None:
        """The certificate shown to the nearest proxy: the last element of `client_certs`."""
        return self.client_certs[-1] if self.client_certs else None

    @property
    def dubbo_tag(self) -> str | None:
        """The tag of Dubbo's tag routing (`dubbo.tag`)."""
        return self._text("dubbo.tag")

    @cached_property
    def attachments(self) -> Mapping[str, str | bytes]:
        """Dubbo attachments: the caller's own headers, in the case the caller gave them.

        Names come back by `tri-header-convert`; a name ending in `-bin` loses that and has bytes.
        """
        return read_attachments(self.metadata)

    def carried(self, names: frozenset[str]) -> Metadata:
        """Those of the headers that are called `names`: what travels to the calls made for this request."""
        carried = self._carried.get(names)
        if carried is None:
            carried = tuple(pair for pair in self.metadata if pair[0] in names)
            self._carried[names] = carried
        return carried

    def settle(self) -> None:
        """Takes what is needed from grpc's context, which answers only while the request is being served."""
        self.metadata  # noqa: B018 - for its effect
        self.deadline  # noqa: B018 - for its effect

    def _all(self, header: str) -> list[str]:
        return [value for key, value in self.metadata if key == header and isinstance(value, str)]

    def _text(self, header: str) -> str | None:
        return next(iter(self._all(header)), None)

    def _number(self, header: str) -> int | None:
        text = self._text(header)
        # Longer than any number of Envoy's, and int() is slow on long ones.
        return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


class Serving:
    """The mark that a request is being served: kept in a context variable while its handler runs.

    Attributes:
        bounded: whether outgoing calls end at the request's deadline at the latest.
        ended: whether the request has been answered.
    """

    __slots__ = ("_context", "_request", "bounded", "ended")

    def __init__(self, context: ServicerContext) -> None:
        self._context = context
        self._request: RequestContext | None = None
        self.bounded = True
        self.ended = False

    def end(self) -> None:
        """Notes that the request has been answered: what outlives it no longer acts on its behalf."""
        self.ended = True

    @property
    def request(self) -> RequestContext:
        """The request, made when it is first asked for."""
        if self._request is None:
            self._request = RequestContext(self._context)
        return self._request

    def unbounded(self) -> Serving:
        """The same request, for calls that may outlive it."""
        mark = Serving(self._context)
        mark._request = self.request
        mark.bounded = False
        return mark


serving: ContextVar[Serving | None] = ContextVar("dubbo_mesh.serving", default=None)


def current_request() -> RequestContext | None:
    """The request that this handler serves, or None outside of handlers.

    It is there in the handler's own thread or asyncio task, in tasks it starts, and in functions given
    to other threads by way of `bind_request`.
    """
    mark = serving.get()
    return None if mark is None else mark.request


def bind_request(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """`function`, to run on another thread as part of serving the current request.

    A thread pool knows nothing of the request that its caller serves. Bound, the function has the same
    `current_request()`, and the calls it makes carry the tracing headers on and keep to the deadline:

        futures = [pool.submit(bind_request(look_up), key) for key in keys]

    Raises:
        TypeError: a coroutine function or a generator function, which does its work after it has returned.
            An asyncio task has its request anyway.
    """
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(f"bind_request needs a plain function: {function!r} would run after it has returned")
    mark = serving.get()
    if mark is not None:
        mark.request.settle()

    @functools.wraps(function)
    def bound(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        before = serving.set(mark)
        try:
            return function(*args, **kwargs)
        finally:
            serving.reset(before)

    return bound


@contextmanager
def ignore_deadline() -> Generator[None]:
    """Lets the calls made in its block outlive the request being served; tracing headers still travel.

    For what must be done whether or not the caller is still waiting:

        with dubbo_mesh.ignore_deadline():
            audit.record(entry, timeout=5)
    """
    mark = serving.get()
    before = serving.set(None if mark is None else mark.unbounded())
    try:
        yield
    finally:
        serving.reset(before)
