"""The outermost layer of a server on threads, and around sync handlers on either kind of server.

`aio_outermost` is the twin.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc

from .._context.request import Serving, serving
from .answers import Refusal, answer_to, is_failure, is_ok, not_serving
from .contexts import RecordingContext, adopting, mark_response, mark_status
from .foreign import checked, refusing
from .layer import Behavior, Handler, Layer, behavior_of, handler_of
from .request_scope import close
from .traffic import Traffic

Serializer = Callable[[Any], bytes]

_POOL = "experimental_thread_pool"
_NON_BLOCKING = "experimental_non_blocking"


class Outermost(Layer):
    """The layer of a server on threads."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__(traffic)
        self._adopt = adopting(traffic)

    def refusing(self, refusal: Refusal) -> Handler:
        def refuse(_requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            if self.traffic.leaving:
                mark_status(context)
            context.abort(refusal.code, refusal.details)
            yield  # never reached; it makes this a generator

        # A handler of streams does not wait for a request, whatever the rpc's shape.
        return handler_of(refuse, request_streaming=True, response_streaming=True)

    def interceptor(
        self, find: Callable[[grpc.HandlerCallDetails], Handler | None]
    ) -> grpc.ServerInterceptor:
        return _Interceptor(self, find)

    def _wrapped(self, handler: Handler, *, exempt: bool) -> Handler:
        behavior = behavior_of(handler)
        checks = handler.request_streaming and handler.request_deserializer is not None
        called = _checking_requests(behavior) if checks else behavior
        if not handler.response_streaming:
            wrapped = unary(called, self.traffic, self._adopt, exempt=exempt)
        elif getattr(behavior, _NON_BLOCKING, False):
            wrapped = _non_blocking(called, self.traffic, self._adopt)
        else:
            wrapped = stream(called, self.traffic, self._adopt, exempt=exempt)
        pool = getattr(behavior, _POOL, None)
        if pool is not None:
            vars(wrapped)[_POOL] = pool
        deserializer = handler.request_deserializer
        return handler_of(
            wrapped,
            request_streaming=handler.request_streaming,
            response_streaming=handler.response_streaming,
            request_deserializer=deserializer and refusing(deserializer, raising=False),
            response_serializer=handler.response_serializer,
        )


class _Interceptor(grpc.ServerInterceptor):
    """The first of a server's interceptors: what the others return or raise passes here."""

    def __init__(self, layer: Outermost, find: Callable[[grpc.HandlerCallDetails], Handler | None]) -> None:
        self._layer = layer
        self._find = find

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        layer = self._layer
        exempt = layer.arrives(handler_call_details.method)
        try:
            if exempt:
                return self._find(handler_call_details)
            return layer.around(handler_call_details.method, continuation(handler_call_details))
        except BaseException as error:  # noqa: BLE001 - it would end the thread that serves all calls
            return layer.failed(error)


def unary(
    behavior: Behavior,
    traffic: Traffic,
    adopt: Callable[[Any], Any],
    serializer: Serializer | None = None,
    *,
    exempt: bool,
) -> Behavior:
    """Wraps a function that returns one response.

    Args:
        behavior: the function.
        traffic: of the server.
        adopt: turns grpc's context into one that has `code`, `details`, `trailing_metadata` and
            `dubbo_mesh_aborted`, and marks initial metadata while the server is leaving.
        serializer: serializes the response here; None leaves that to grpc.
        exempt: whether calls are answered even while others are held.
    """

    def respond(request: Any, context: Any) -> Any:
        context = adopt(context)
        mark = Serving(context)
        before = serving.set(mark)
        try:
            if traffic.held and not exempt:
                wait_until_serving(traffic, context)
            if request.__class__ is Refusal:
                raise request
            response = behavior(request, context)
            if serializer is not None:
                response = serializer(response) if is_ok(context.code()) else b""
            if traffic.leaving:
                (mark_status if response is None else mark_response)(context)
        except BaseException as error:
            end(traffic, context, error)
            raise
        finally:
            serving.reset(before)
            mark.end()
        return response

    return respond


def stream(
    behavior: Behavior,
    traffic: Traffic,
    adopt: Callable[[Any], Any],
    serializer: Serializer | None = None,
    *,
    exempt: bool,
) -> Behavior:
    """Wraps a function that returns a stream of responses. The arguments are those of `unary`."""

    def respond(request: Any, context: Any) -> Iterator[Any]:
        context = adopt(context)
        request_mark = Serving(context)
        mark: Serving | None = request_mark
        responses: Any = None
        silent = True
        # The mark is set only while the handler's own code runs: this generator may be dropped between two
        # responses, and closed by whichever thread collects it, which may be serving another request.
        try:
            before = serving.set(mark)
            try:
                if traffic.held and not exempt:
                    wait_until_serving(traffic, context)
                if request.__class__ is Refusal:
                    raise request
                responses = behavior(request, context)
                if not hasattr(responses, "__next__"):
                    responses = iter(responses)
            except BaseException as error:
                end(traffic, context, error)
                raise
            finally:
                mark = serving.get()
                serving.reset(before)
            while True:
                before = serving.set(mark)
                try:
                    response = next(responses)
                    if serializer is not None:
                        response = serializer(response)
                except StopIteration:
                    break
                except BaseException as error:
                    end(traffic, context, error)
                    raise
                finally:
                    mark = serving.get()  # a block of ignore_deadline() changes it
                    serving.reset(before)
                if silent:
                    silent = False
                    if traffic.leaving:
                        mark_response(context)
                yield response
            if silent and traffic.leaving:
                mark_status(context)
        finally:
            close(responses, mark)
            request_mark.end()

    return respond


def _non_blocking(behavior: Behavior, traffic: Traffic, adopt: Callable[[Any], Any]) -> Behavior:
    """Wraps a function that is given a callback for its responses, as health's Watch is."""

    def respond(request: Any, context: Any, send: Callable[[Any], None]) -> None:
        context = adopt(context)

        def send_marked(response: Any) -> None:
            if traffic.leaving:
                (mark_status if response is None else mark_response)(context)
            send(response)

        mark = Serving(context)
        if not context.add_callback(mark.end):
            mark.end()
        before = serving.set(mark)
        try:
            if request.__class__ is Refusal:
                raise request
            behavior(request, context, send_marked)
        except BaseException as error:
            end(traffic, context, error)
            raise
        finally:
            serving.reset(before)

    vars(respond)[_NON_BLOCKING] = True
    return respond


def _checking_requests(behavior: Behavior) -> Behavior:
    """Wraps a function that takes a stream of requests: a refused one is raised where it is read."""

    def respond(requests: Any, context: Any, *send: Any) -> Any:
        return behavior(map(checked, requests), context, *send)

    return respond


def wait_until_serving(traffic: Traffic, context: Any) -> None:
    """Blocks until the server serves.

    Raises:
        Refusal: the server failed to start, or the caller has gone.
    """
    woken = threading.Event()
    traffic.when_released(woken.set)
    if context.add_callback(woken.set) is False:  # the call is over
        woken.set()
    woken.wait()
    if traffic.held:
        raise not_serving()


def end(traffic: Traffic, context: Any, error: BaseException) -> None:
    """Answers a call whose handler ended by `error`, which the caller has to raise after that.

    Raises:
        Exception: grpc's for a call that was aborted, in place of an `error` that is not to go any further.
    """
    if isinstance(error, GeneratorExit):
        return
    if traffic.leaving:
        mark_status(context)
    if isinstance(error, Exception):
        if context.dubbo_mesh_aborted:
            return
        if type(error) is grpc.RpcError and not getattr(context, "is_active", bool)():
            return  # grpc's own, raised in a handler that touches a call that is over
    code, details = answer_to(error, context.code(), context.details())
    if is_failure(error) and not isinstance(context, RecordingContext):
        # Where tools for tracing patch `grpc.server`, their interceptors lie outside of this layer: let them
        # see the exception itself. After abort() grpc's server on threads minds no other exception.
        with suppress(Exception):
            context.abort(code, details)
        return
    context.abort(code, details)
