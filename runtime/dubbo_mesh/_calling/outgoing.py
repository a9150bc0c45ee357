"""Envoy is told of a deadline that an interceptor sets, on channels that we open with interceptors.

A stub resolves a call's headers before any interceptor sees the call. So on such channels it also announces
the call in a context variable, and an interceptor of ours behind all others puts the timeout's header right.
The core of `interceptor` and `aio_interceptor`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, NamedTuple

from .._context.attachments import Metadata
from .._contract.envoy_headers import TIMEOUT_HEADER, EnvoyHeaders
from .plan import CallMetadata, CallPlan


class _Outgoing(NamedTuple):
    """A call that a stub is just making.

    Attributes:
        path: of the rpc.
        plan: what resolved its headers.
        timeout: in seconds, that the stub gives it.
        outer: the call during whose interception this one is made.
    """

    path: str
    plan: CallPlan
    timeout: float | None
    outer: _Outgoing | None


_outgoing: ContextVar[_Outgoing | None] = ContextVar("dubbo_mesh.outgoing", default=None)


class AnnouncingPlan:
    """A `CallPlan` that announces each call it resolves, until an `AnnouncedCallable` has made it."""

    def __init__(self, plan: CallPlan, path: str) -> None:
        self._plan = plan
        self._path = path

    def resolve(
        self, timeout: float | None, metadata: CallMetadata | None, envoy: EnvoyHeaders | None
    ) -> tuple[float | None, Metadata]:
        """As of `CallPlan`."""
        plan = self._plan if envoy is None else self._plan.variant(envoy, timeout is not None)
        timeout, headers = plan.resolve(timeout, metadata, None)
        _outgoing.set(_Outgoing(self._path, plan, timeout, _outgoing.get()))
        return timeout, headers


class AnnouncedCallable:
    """A callable of a channel's, sync or async: makes calls that an `AnnouncingPlan` has resolved."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._inner(*args, **kwargs)
        finally:
            _withdraw()

    def with_call(self, *args: Any, **kwargs: Any) -> Any:
        """As of grpc's callables."""
        try:
            return self._inner.with_call(*args, **kwargs)
        finally:
            _withdraw()

    def future(self, *args: Any, **kwargs: Any) -> Any:
        """As of grpc's callables."""
        try:
            return self._inner.future(*args, **kwargs)
        finally:
            _withdraw()


def _withdraw() -> None:
    made = _outgoing.get()
    if made is not None:
        _outgoing.set(made.outer)


def with_timeout_header(
    path: str, timeout: float | None, metadata: Iterable[tuple[str, Any]] | None
) -> Metadata | None:
    """The metadata of a call whose timeout an interceptor has changed; None if it can stay as it is.

    Args:
        path: of the rpc.
        timeout: in seconds, that the call has now.
        metadata: that the call has now. A timeout header that is not the stub's own is left alone.
    """
    outgoing = _outgoing.get()
    if outgoing is None or outgoing.path != path or outgoing.timeout == timeout:
        return None
    before, after = (outgoing.plan.timeout_header(each) for each in (outgoing.timeout, timeout))
    pairs = tuple(metadata or ())
    if before == after or tuple(pair for pair in pairs if pair[0] == TIMEOUT_HEADER) != before:
        return None
    return tuple((key, value) for key, value in pairs if key != TIMEOUT_HEADER) + after
