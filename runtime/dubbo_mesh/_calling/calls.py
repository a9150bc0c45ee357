"""Calls of `grpc`: their status corrected where Envoy enforced their deadline. `aio_calls.py` is the twin."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from types import GeneratorType
from typing import Any

import grpc

from .deadline import DETAILS, Subclasses, is_own_deadline

_MODULE = "grpc._channel"
"""Where grpc defines the calls and the errors that keep their status in an attribute `_state`."""


def with_deadline(call: Any, deadline: float) -> Any:
    """Returns `call` itself, a future or an iterator of responses, with its status corrected from now on.

    Args:
        call: as it came from grpc or an interceptor. One that is not grpc's own stays as it is; only a
            generator, as OpenTelemetry's interceptor returns it, is returned within another one.
        deadline: of the call, by `time.monotonic()`.
    """
    subclass = _subclasses.of(call.__class__)
    if subclass is not None:
        call._dubbo_mesh_deadline = deadline
        call.__class__ = subclass
    elif call.__class__ is GeneratorType:
        return _correcting(call, deadline)
    return call


def _correcting(responses: Generator[Any, Any, Any], deadline: float) -> Generator[Any, Any, Any]:
    try:
        return (yield from responses)
    except grpc.RpcError as error:
        correct_error(error, deadline)
        raise


def correct_error(error: grpc.RpcError, deadline: float) -> None:
    """Corrects the status of an error that a blocking call has just raised, if it is one of grpc's own.

    Args:
        error: as it was raised.
        deadline: of the call, by `time.monotonic()`.
    """
    # A call that is raised as its own error has decided already.
    if type(error).__module__ == _MODULE and not hasattr(error, "_dubbo_mesh_deadline"):
        _correct(error, deadline)


def _state_of(call: Any) -> Any:
    """Where grpc keeps the status of a call or an error; None in a release that keeps it elsewhere.

    There a status stays as it arrived, which is better than an error of ours in place of the call's own.
    """
    state = getattr(call, "_state", None)
    return state if all(hasattr(state, name) for name in ("condition", "code", "details")) else None


def _correct(error: Any, deadline: float) -> None:
    state = _state_of(error)
    if state is None:
        return
    with state.condition:
        if is_own_deadline(state.code, error.__class__.details(error), deadline):
            state.code = grpc.StatusCode.DEADLINE_EXCEEDED
            state.details = DETAILS


def _methods(base: type[Any]) -> dict[str, Any]:
    """The methods of a call class of grpc's that look at the status."""
    if not hasattr(base, "__next__"):
        return {}  # an error, and no call that may still run

    details = base.details

    def decide(call: Any) -> None:
        """Corrects the status if it is known; once, so that what somebody has seen stays true."""
        state = _state_of(call)
        if state is None:
            return
        with state.condition:
            if state.code is None or call._dubbo_mesh_deadline is None:
                return
            deadline, call._dubbo_mesh_deadline = call._dubbo_mesh_deadline, None
            if state.code is not grpc.StatusCode.OK and is_own_deadline(state.code, details(call), deadline):
                state.code = grpc.StatusCode.DEADLINE_EXCEEDED
                state.details = DETAILS

    def telling(method: Callable[..., Any]) -> Callable[..., Any]:
        """For a method that waits for the end and returns part of the status."""

        @functools.wraps(method)
        def tell(self: Any) -> Any:
            method(self)
            decide(self)
            return method(self)

        return tell

    def showing(method: Callable[..., Any]) -> Callable[..., Any]:
        """For a method that shows what is known so far."""

        @functools.wraps(method)
        def show(self: Any) -> Any:
            decide(self)
            return method(self)

        return show

    def raising(method: Callable[..., Any]) -> Callable[..., Any]:
        """For a method that raises the call as its own error, and costs nothing if there is none."""

        @functools.wraps(method)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return method(self, *args, **kwargs)
            except grpc.RpcError:
                decide(self)
                raise

        return call

    def returning(method: Callable[..., Any]) -> Callable[..., Any]:
        """For a method that returns the call as its own error, or something of it."""

        @functools.wraps(method)
        def get(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return method(self, *args, **kwargs)
            finally:
                decide(self)

        return get

    def iterating(method: Callable[..., Any]) -> Callable[..., Any]:
        """For a method that gives the next response: `raising`, without arguments to pass on each time."""

        @functools.wraps(method)
        def iterate(self: Any) -> Any:
            try:
                return method(self)
            except grpc.RpcError:
                decide(self)
                raise

        return iterate

    replaced = {
        telling: ("code", "details"),
        showing: ("__str__", "__repr__"),
        raising: ("result",),
        returning: ("exception", "traceback"),
        iterating: ("__next__", "next"),
    }
    return {name: make(getattr(base, name)) for make, names in replaced.items() for name in names}


_subclasses = Subclasses(frozenset({_MODULE}), _methods)
