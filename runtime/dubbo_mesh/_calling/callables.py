"""The rpcs of a sync stub. `aio_callables.py` is the twin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from .._contract.envoy_headers import EnvoyHeaders
from .calls import correct_error, with_deadline
from .outgoing import AnnouncingPlan
from .plan import CallMetadata, CallPlan, given

Request = TypeVar("Request")
Response = TypeVar("Response")

if TYPE_CHECKING:
    from grpc import (
        StreamStreamMultiCallable,
        StreamUnaryMultiCallable,
        UnaryStreamMultiCallable,
        UnaryUnaryMultiCallable,
    )

    # types-grpcio has no public names for these.
    from grpc import _CallFuture as CallFuture  # pyright: ignore[reportPrivateUsage]
    from grpc import _CallIterator as CallIterator  # pyright: ignore[reportPrivateUsage]
else:
    from .generic import generic

    UnaryUnaryMultiCallable = generic(grpc.UnaryUnaryMultiCallable)
    UnaryStreamMultiCallable = generic(grpc.UnaryStreamMultiCallable)
    StreamUnaryMultiCallable = generic(grpc.StreamUnaryMultiCallable)
    StreamStreamMultiCallable = generic(grpc.StreamStreamMultiCallable)


class UnaryUnary(UnaryUnaryMultiCallable[Request, Response]):
    """Calls a unary-unary rpc."""

    def __init__(
        self, inner: grpc.UnaryUnaryMultiCallable[Request, Response], plan: CallPlan | AnnouncingPlan
    ) -> None:
        self._inner = inner
        self._resolve = plan.resolve

    def __call__(
        self,
        request: Request,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> Response:
        """As grpc's; `envoy` is what to ask of the sidecar for this one call."""
        timeout, headers = self._resolve(timeout, metadata, envoy)
        more = given(credentials, wait_for_ready, compression)
        started = monotonic()
        try:
            return self._inner(request, timeout, headers, **more)
        except grpc.RpcError as error:
            if timeout is not None:
                correct_error(error, started + timeout)
            raise

    def with_call(
        self,
        request: Request,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> tuple[Response, grpc.Call]:
        """As grpc's: the response and the call."""
        timeout, headers = self._resolve(timeout, metadata, envoy)
        more = given(credentials, wait_for_ready, compression)
        started = monotonic()
        try:
            return self._inner.with_call(request, timeout, headers, **more)
        except grpc.RpcError as error:
            if timeout is not None:
                correct_error(error, started + timeout)
            raise

    def future(
        self,
        request: Request,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> CallFuture[Response]:
        """As grpc's: a future that is a call too."""
        timeout, headers = self._resolve(timeout, metadata, envoy)
        more = given(credentials, wait_for_ready, compression)
        started = monotonic()
        call = self._inner.future(request, timeout, headers, **more)
        return call if timeout is None else _with_deadline(call, started + timeout)


class UnaryStream(UnaryStreamMultiCallable[Request, Response]):
    """Calls a unary-stream rpc."""

    def __init__(
        self, inner: grpc.UnaryStreamMultiCallable[Request, Response], plan: CallPlan | AnnouncingPlan
    ) -> None:
        self._inner = inner
        self._resolve = plan.resolve

    def __call__(
        self,
        request: Request,
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> CallIterator[Response]:
        """As grpc's; `envoy` is what to ask of the sidecar for this one call."""
        timeout, headers = self._resolve(timeout, metadata, envoy)
        more = given(credentials, wait_for_ready, compression)
        started = monotonic()
        call = self._inner(request, timeout, headers, **more)
        return call if timeout is None else _with_deadline(call, started + timeout)


class KeepingUnaryStream(UnaryStream[Request, Response]):
    """One whose calls keep their stub's own channel open.

    Those of grpc's do by themselves, except those that are read in a single thread.
    """

    def __init__(
        self,
        inner: grpc.UnaryStreamMultiCallable[Request, Response],
        plan: CallPlan | AnnouncingPlan,
        owned: grpc.Channel,
    ) -> None:
        super().__init__(inner, plan)
        self._owned = owned

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As of `UnaryStream`."""
        call: Any = super().__call__(*args, **kwargs)
        # What an interceptor returns in its place may be anything.
        with suppress(AttributeError):
            call._dubbo_mesh_channel = self._owned
        return call


class StreamUnary(StreamUnaryMultiCallable[Request, Response]):
    """Calls a stream-unary rpc."""

    def __init__(
        self, inner: grpc.StreamUnaryMultiCallable[Request, Response], plan: CallPlan | AnnouncingPlan
    ) -> None:
        self._inner = inner
        self._resolve = plan.resolve

    def __call__(
        self,
        request_iterator: Iterator[Request],
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> Response:
        """As grpc's; `envoy` is what to ask of the sidecar for this one call."""
        timeout, headers = self._resolve(timeout, metadata, envoy)
        more = given(credentials, wait_for_ready, compression)
        started = monotonic()
        try:
            return self._inner(request_iterator, timeout, headers, **more)
        except grpc.RpcError as error:
            if timeout is not None:
                correct_error(error, started + timeout)
            raise

    def with_call(
        self,
        request_iterator: Iterator[Request],
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> tuple[Response, grpc.Call]:
        """As grpc's: the response and the call."""
        timeout, headers = self._resolve(timeout, metadata, envoy)
        more = given(credentials, wait_for_ready, compression)
        started = monotonic()
        try:
            return self._inner.with_call(request_iterator, timeout, headers, **more)
        except grpc.RpcError as error:
            if timeout is not None:
                correct_error(error, started + timeout)
            raise

    def future(
        self,
        request_iterator: Iterator[Request],
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> CallFuture[Response]:
        """As grpc's: a future that is a call too."""
        timeout, headers = self._resolve(timeout, metadata, envoy)
        more = given(credentials, wait_for_ready, compression)
        started = monotonic()
        call = self._inner.future(request_iterator, timeout, headers, **more)
        return call if timeout is None else _with_deadline(call, started + timeout)


class StreamStream(StreamStreamMultiCallable[Request, Response]):
    """Calls a stream-stream rpc."""

    def __init__(
        self, inner: grpc.StreamStreamMultiCallable[Request, Response], plan: CallPlan | AnnouncingPlan
    ) -> None:
        self._inner = inner
        self._resolve = plan.resolve

    def __call__(
        self,
        request_iterator: Iterator[Request],
        timeout: float | None = None,
        metadata: CallMetadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        *,
        envoy: EnvoyHeaders | None = None,
    ) -> CallIterator[Response]:
        """As grpc's: an iterator of responses that is a call too."""
        timeout, headers = self._resolve(timeout, metadata, envoy)
        more = given(credentials, wait_for_ready, compression)
        started = monotonic()
        call = self._inner(request_iterator, timeout, headers, **more)
        return call if timeout is None else _with_deadline(call, started + timeout)


_with_deadline: Any = with_deadline  # returns what it is given

SHAPES: dict[tuple[bool, bool], type[Any]] = {
    (False, False): UnaryUnary,
    (False, True): UnaryStream,
    (True, False): StreamUnary,
    (True, True): StreamStream,
}
"""By (client streaming, server streaming)."""
