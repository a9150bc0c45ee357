"""The request being served: its headers and deadline, and what of them travels on to outgoing calls."""

from __future__ import annotations

import functools
import inspect
import math
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, ParamSpec, Protocol, TypeVar

from .._contract.logs import logger
from .._contract.validation import is_sendable, printable
from .attachments import Attachments, Metadata, read_attachments

if TYPE_CHECKING:
    from .client_cert import ClientCert

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_log = logger(__name__)

_NO_DEADLINE = 10 * 365 * 86_400.0
"""Seconds. Where there is no deadline, grpcio's sync server reports one that is centuries away."""

_MOST_CARRIED = 6 * 1024
"""Bytes. From 8 KiB of metadata on, all headers together, gRPC refuses requests at random."""


class ServicerContext(Protocol):
    """The part of grpc's servicer contexts, sync or async, that is used here."""

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        """Returns the request's headers."""

    def time_remaining(self) -> float | None:
        """Returns the seconds left until the request's deadline."""


class _Answered:
    """Stands in for grpc's context once a request has been answered."""

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return ()

    def time_remaining(self) -> None:
        return None


_ANSWERED = _Answered()


def _deadline_of(context: ServicerContext) -> float:
    """The deadline by `time.monotonic`; infinite if there is none."""
    try:
        remaining = context.time_remaining()
    except (AttributeError, NotImplementedError):  # an interceptor's stand-in for grpc's context
        return math.inf
    return math.inf if remaining is None else time.monotonic() + remaining


class RequestContext:
    """A request being served.

    Creating one is cheap: apart from the deadline, each attribute is computed when it is first read. One that
    you hold on to keeps its values after the request has been answered.
    """

    def __init__(self, context: ServicerContext, ends: float | None = None) -> None:
        """Wraps grpc's context of a request.

        Args:
            context: grpc's own, sync or async.
            ends: the deadline by `time.monotonic`, infinite for none; taken from `context` if left out.
        """
        self._context = context
        self._ends = _deadline_of(context) if ends is None else ends
        self._carried: dict[frozenset[str], Metadata] = {}

    @cached_property
    def metadata(self) -> Metadata:
        """The request's headers as gRPC metadata, in the order in which they arrived."""
        return tuple((key, value) for key, value in self._context.invocation_metadata() or ())

    @cached_property
    def deadline(self) -> float | None:
        """When the caller stops waiting, in seconds since the epoch like `time.time()`; None if never.

        Computed once, when it is first read, and not moved by later changes of the system's clock. To
        find out how much time is left, use `time_remaining()`, which no change of that clock affects.
        """
        left = self._ends - time.monotonic()
        return None if left > _NO_DEADLINE else time.time() + left

    def time_remaining(self) -> float | None:
        """Returns the seconds until the deadline, 0 once it has passed; None without a deadline."""
        left = self._ends - time.monotonic()
        if left > _NO_DEADLINE:
            return None
        return left if left > 0 else 0.0

    @property
    def request_id(self) -> str | None:
        """`x-request-id`, which Envoy generates for a request that has none."""
        return self._text("x-request-id")

    @property
    def attempt(self) -> int | None:
        """The number of this attempt, counted from 1 (`x-envoy-attempt-count`).

        None unless the virtual host has `include_request_attempt_count`, as Istio's have.
        """
        return self._number("x-envoy-attempt-count")

    @property
    def expected_timeout(self) -> float | None:
        """How many seconds the sidecar allows for the request (`x-envoy-expected-rq-timeout-ms`)."""
        milliseconds = self._number("x-envoy-expected-rq-timeout-ms")
        return None if milliseconds is None else milliseconds / 1000

    @property
    def caller_app(self) -> str | None:
        """The calling application's name (`tri-consumer-appname`)."""
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
        """Whether Envoy considers the request internal to the mesh (`x-envoy-internal: true`)."""
        return self._text("x-envoy-internal") == "true"

    @property
    def external_address(self) -> str | None:
        """The client's address, if the request came from outside the mesh (`x-envoy-external-address`)."""
        return self._text("x-envoy-external-address")

    @cached_property
    def client_certs(self) -> tuple[ClientCert, ...]:
        """`x-forwarded-client-cert`: one element for each proxy passed; empty if absent or malformed.

        Only as trustworthy as the sidecar makes it: whether Envoy sanitizes, appends to or forwards the
        header depends on its `forward_client_cert_details`.
        """
        from .client_cert import parse_xfcc

        return parse_xfcc(",".join(self._all("x-forwarded-client-cert")))

    @property
    def client_cert(self) -> ClientCert | None:
        """The certificate presented to the nearest proxy: the last element of `client_certs`."""
        return self.client_certs[-1] if self.client_certs else None

    @property
    def dubbo_tag(self) -> str | None:
        """The tag of Dubbo's tag routing (`dubbo.tag`)."""
        return self._text("dubbo.tag")

    @cached_property
    def attachments(self) -> Attachments:
        """The Dubbo attachments: the caller's own headers, as `read_attachments` finds them."""
        return read_attachments(self.metadata)

    def carried(self, names: frozenset[str]) -> Metadata:
        """The headers called one of `names`, to be sent with the calls made while serving this request.

        What a peer put into them must not fail the handler's own calls: values that gRPC would not send are
        left out, and so are the largest if together they leave too little room for a call's own headers.
        """
        carried = self._carried.get(names)
        if carried is None:
            carried = _within_limits(
                [pair for pair in self.metadata if pair[0] in names and _is_sendable(*pair)]
            )
            self._carried[names] = carried
        return carried

    def detach(self) -> None:
        """Makes this independent of grpc's context, which is about to go away."""
        self.metadata  # noqa: B018 - computed and kept
        self._context = _ANSWERED

    def _all(self, header: str) -> list[str]:
        return [value for key, value in self.metadata if key == header and isinstance(value, str)]

    def _text(self, header: str) -> str | None:
        return next(iter(self._all(header)), None)

    def _number(self, header: str) -> int | None:
        text = self._text(header)
        # Envoy's numbers are shorter than 16 digits, and int() is slow on very long ones.
        return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def _is_sendable(name: str, value: str | bytes) -> bool:
    if isinstance(value, bytes) or is_sendable(value):
        return True
    _log.debug("%s is not sent on with outgoing calls: gRPC cannot send %s", name, printable(value))
    return False


def _within_limits(headers: list[tuple[str, str | bytes]]) -> Metadata:
    excess = sum(map(_size, headers)) - _MOST_CARRIED
    while excess > 0:
        largest = max(headers, key=_size)
        headers.remove(largest)
        excess -= _size(largest)
        _log.debug("%s is not sent on with outgoing calls: %d bytes are too many", largest[0], _size(largest))
    return tuple(headers)


def _size(header: tuple[str, str | bytes]) -> int:
    """How much a header counts towards the limits of HTTP/2 (RFC 9113, 6.5.2), and so of gRPC."""
    return len(header[0]) + len(header[1]) + 32


class Serving:
    """Marks code as serving a request: kept in a context variable while the handler runs.

    Code that outlives the request (a background task or thread it started) still finds the mark, which
    by then has `ended`: such code no longer acts on behalf of the request.

    Attributes:
        bounded: whether outgoing calls must end by the request's deadline.
    """

    __slots__ = ("_context", "_ended", "_ends", "_request")

    bounded: ClassVar[bool] = True

    def __init__(self, context: ServicerContext) -> None:
        self._context = context
        self._ends = _deadline_of(context)
        self._request: RequestContext | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the request has been answered."""
        return self._ended

    @property
    def request(self) -> RequestContext:
        """The request; created on first use."""
        request = self._request
        if request is None:
            request = self._request = RequestContext(self._context, self._ends)
        return request

    def end(self) -> None:
        """Notes that the request has been answered, and lets go of it."""
        self._ended = True
        request, self._request = self._request, None
        if request is not None:
            request.detach()
        self._context = _ANSWERED

    def unbounded(self) -> Serving:
        """The same request, for calls that may outlive it."""
        return _Unbounded(self)


class _Unbounded(Serving):
    """Serving a request without being bound by its deadline; ends when the request does."""

    __slots__ = ("_serving",)

    bounded = False

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    @property
    def ended(self) -> bool:
        return self._serving.ended

    @property
    def request(self) -> RequestContext:
        return self._serving.request

    def end(self) -> None:
        self._serving.end()

    def unbounded(self) -> Serving:
        return self


serving: ContextVar[Serving | None] = ContextVar("dubbo_mesh.serving", default=None)


def current_request() -> RequestContext | None:
    """Returns the request that the calling code serves; None outside of handlers.

    It is available in the handler's own thread or asyncio task, in tasks that it starts, and in functions
    that are passed to other threads through `bind_request`: until the request has been answered. Whatever
    outlives the request gets None, and its outgoing calls neither carry the request's headers nor
    end at its deadline.
    """
    mark = serving.get()
    return None if mark is None or mark.ended else mark.request


def bind_request(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Returns `function` as part of serving the current request, to be run on another thread.

    A thread pool does not know which request its caller serves. A bound function has the same
    `current_request()`, and the calls that it makes carry the tracing headers and observe the deadline:

        futures = [pool.submit(bind_request(look_up), key) for key in keys]

    The binding ends with the request: see `current_request`.

    Raises:
        TypeError: `function` is a coroutine function or a generator function, whose body would run only
            after it has returned. (An asyncio task serves its parent's request anyway.)
    """
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(
            f"bind_request needs a plain function: the body of {function!r} would run after it has returned"
        )
    mark = serving.get()

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
    """Lets calls made in the `with` block outlive the request's deadline; tracing headers are still carried.

    For work that must be done whether or not the caller is still waiting:

        with dubbo_mesh.ignore_deadline():
            audit.record(entry, timeout=5)
    """
    mark = serving.get()
    before = serving.set(None if mark is None else mark.unbounded())
    try:
        yield
    finally:
        serving.reset(before)
