"""Calls of `grpc.aio`: their status corrected where Envoy enforced their deadline. `calls.py` is the twin."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import grpc
import grpc.aio

from .deadline import DETAILS, Subclasses, is_own_deadline

_MODULES = frozenset({"grpc.aio._call", "grpc.aio._interceptor"})
"""Where grpc defines its call classes."""


def with_deadline(call: Any, deadline: float) -> Any:
    """Returns `call` itself, of any shape, with its status corrected from now on.

    Args:
        call: as it came from grpc or an interceptor; one that is not grpc's own stays as it is.
        deadline: of the call, by `time.monotonic()`.
    """
    subclass = _subclasses.of(call.__class__)
    if subclass is not None:
        call._dubbo_mesh_deadline = deadline
        call.__class__ = subclass
    return call


def _is_exceeded(call: Any, code: grpc.StatusCode, details: str | None) -> bool:
    """Whether the status that arrived stands for the call's deadline.

    Decided once, so that what somebody has seen stays true.
    """
    decided: bool | None = getattr(call, "_dubbo_mesh_exceeded", None)
    if decided is None:
        decided = is_own_deadline(code, details, call._dubbo_mesh_deadline)
        call._dubbo_mesh_exceeded = decided
    return decided


def _correct(call: Any, error: Any) -> None:
    if _is_exceeded(call, error.code(), error.details()):
        error._code = grpc.StatusCode.DEADLINE_EXCEEDED
        error._details = DETAILS


def _methods(base: Any) -> dict[str, Any]:
    """The methods of a call class of grpc's that look at the status."""
    if not hasattr(base, "code") or not hasattr(base, "details"):
        return {}

    @functools.wraps(base.code)
    async def code(self: Any) -> grpc.StatusCode:
        arrived: grpc.StatusCode = await base.code(self)
        exceeded = _is_exceeded(self, arrived, await base.details(self))
        return grpc.StatusCode.DEADLINE_EXCEEDED if exceeded else arrived

    @functools.wraps(base.details)
    async def details(self: Any) -> str | None:
        arrived: str | None = await base.details(self)
        return DETAILS if _is_exceeded(self, await base.code(self), arrived) else arrived

    @functools.wraps(base.__repr__)
    def represent(self: Any) -> str:
        return _corrected(self, base.__repr__(self))

    methods: dict[str, Any] = {"code": code, "details": details, "__repr__": represent, "__str__": represent}

    def raising(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        async def call(self: Any, *args: Any) -> Any:
            try:
                return await method(self, *args)
            except grpc.aio.AioRpcError as error:
                _correct(self, error)
                raise

        return call

    for name in ("read", "write", "wait_for_connection"):
        if hasattr(base, name):
            methods[name] = raising(getattr(base, name))

    if hasattr(base, "__await__"):

        @functools.wraps(base.__await__)
        def wait(self: Any) -> Generator[Any, None, Any]:
            waiting: Generator[Any, None, Any] = base.__await__(self)
            try:
                return (yield from waiting)
            except grpc.aio.AioRpcError as error:
                _correct(self, error)
                raise

        methods["__await__"] = wait

    if hasattr(base, "__aiter__"):

        @functools.wraps(base.__aiter__)
        def iterate(self: Any) -> AsyncIterator[Any]:
            # As grpc's: the same iterator each time.
            responses = base.__aiter__(self)
            iterator: AsyncIterator[Any] | None = getattr(self, "_dubbo_mesh_iterator", None)
            if iterator is None:
                self._dubbo_mesh_iterator = iterator = _iterating(self, responses)
            return iterator

        methods["__aiter__"] = iterate

    return methods


async def _iterating(call: Any, responses: AsyncIterator[Any]) -> AsyncIterator[Any]:
    try:
        async for response in responses:
            yield response
    except grpc.aio.AioRpcError as error:
        _correct(call, error)
        raise


def _corrected(call: Any, text: str) -> str:
    """`repr(call)`, with the status as the call's methods tell it."""
    status = getattr(getattr(call, "_cython_call", None), "_status", None)
    if status is None:
        return text  # it has not ended, or does not show how
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code())
    if not _is_exceeded(call, code, status.details()):
        return text
    return text.replace(str(code), str(grpc.StatusCode.DEADLINE_EXCEEDED), 1).replace(
        status.details(), DETAILS, 1
    )


_subclasses = Subclasses(_MODULES, _methods)
