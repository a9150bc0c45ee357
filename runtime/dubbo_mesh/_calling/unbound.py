"""What stub classes show as their rpcs. Imported on first access."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NoReturn

import grpc.aio

from .._contract.service import Method, Service

_AWAITABLE: tuple[Any, ...] = (grpc.aio.UnaryUnaryMultiCallable, grpc.aio.StreamUnaryMultiCallable)
_ASYNC: tuple[Any, ...] = (*_AWAITABLE, grpc.aio.UnaryStreamMultiCallable, grpc.aio.StreamStreamMultiCallable)


def unbound(method: Method, shape: type[Any], stub: type[Any]) -> Callable[..., Any]:
    """What a stub class shows as one of its rpcs: a function with a name, signature and docstring.

    It is a coroutine function if the rpc's calls are to be awaited, so that `create_autospec` makes a mock
    whose result can be awaited. It is not one of grpc's callables, for which mocks would check
    `assert_called_with` wrongly.

    Args:
        method: the rpc.
        shape: the class of its callable.
        stub: the stub class, which names the rpc's service.
    """
    shown: Callable[..., Any] = _function(stub, method.attribute, shape.__call__, method, shape)
    shown.__doc__ = "\n\n".join(filter(None, (_comment(method, stub), f"Calls {method.path}.")))
    for further in ("with_call", "future"):
        function = getattr(shape, further, None)
        if function is not None:
            made = _function(stub, f"{method.attribute}.{further}", function, method, shape)
            setattr(shown, further, made)
    return shown


def _function(stub: type[Any], name: str, like: Callable[..., Any], method: Method, shape: type[Any]) -> Any:
    """A function that cannot be called, with the arguments of a callable's method `like`."""
    owner = stub.__qualname__

    def function(*_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError(f"{owner}.{name} must be called on an instance: {owner}(...).{name}(...)")

    async def coroutine_function(*_args: object, **_kwargs: object) -> NoReturn:
        function()

    made: Any = coroutine_function if issubclass(shape, _AWAITABLE) else function
    made.__name__ = name.rpartition(".")[2]
    made.__qualname__ = f"{owner}.{name}"
    made.__module__ = stub.__module__
    made.__doc__ = like.__doc__
    made.__signature__ = _signature(like, method, shape)
    return made


def _signature(like: Callable[..., Any], method: Method, shape: type[Any]) -> inspect.Signature:
    """The arguments of a call, with types where they are this rpc's own."""
    iterator: Any = AsyncIterator if issubclass(shape, _ASYNC) else Iterator
    _self, request, *others = inspect.signature(like).parameters.values()
    taken = iterator[method.request_type] if method.client_streaming else method.request_type
    returned: Any = inspect.Signature.empty
    if like is shape.__call__:
        returned = iterator[method.response_type] if method.server_streaming else method.response_type
    parameters = [
        request.replace(annotation=taken),
        *(each.replace(annotation=inspect.Parameter.empty) for each in others),
    ]
    return inspect.Signature(parameters, return_annotation=returned)


def _comment(method: Method, stub: type[Any]) -> str | None:
    """The rpc's comment in the proto.

    At run time it is the docstring of a servicer's method. The servicers of a service are in the module of
    its stubs.
    """
    service: Service = stub.__mesh__
    module = sys.modules.get(stub.__module__)
    for each in vars(module).values() if module is not None else ():
        if isinstance(each, type) and vars(each).get("__mesh__") is service:
            handler = vars(each).get(method.attribute)
            if inspect.isfunction(handler):
                return inspect.getdoc(handler)
    return None
