"""Rpcs as attributes: of stub classes, for `help`, `inspect` and `create_autospec`, and of stubs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .._contract.service import Method, Service

Attribute = TypeVar("Attribute")

_OVERRIDDEN = "_overridden_"
"""The prefix of an rpc's name in the `__dict__` of a stub whose class has a method with that name."""


class Rpc:
    """An rpc as an attribute of a stub class.

    Stubs have their callables in their own `__dict__`. Python looks there first, because this descriptor has
    no `__set__`. What the class itself shows is created on first access, so that importing a generated module
    does not pay for it.

    Args:
        method: the rpc.
        shape: the class of its callable.
        stub: the stub class.
    """

    __slots__ = ("_method", "_shape", "_shown", "_stub")

    def __init__(self, method: Method, shape: type[Any], stub: type[Any]) -> None:
        self._method = method
        self._shape = shape
        self._stub = stub
        self._shown: Callable[..., Any] | None = None

    def __get__(self, stub: object | None, owner: type[Any] | None = None) -> Any:
        """What the class shows; or the callable of `stub`, for methods that call `super()`."""
        if stub is None:
            return self.__wrapped__
        return _call_of(stub, self._method.attribute)

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """What the class shows, for tools that take this object from the class's `__dict__`, as `patch` does.

        They treat it like a static method.
        """
        if self._shown is None:
            from .unbound import unbound

            self._shown = unbound(self._method, self._shape, self._stub)
        return self._shown

    __func__ = __call__ = __wrapped__


class DeprecatedRpc(property):
    """A deprecated rpc: a property of the generated class, which warns; the class itself shows an `Rpc`."""

    def __init__(self, generated: property, shown: Rpc) -> None:
        super().__init__(generated.fget)
        self._shown = shown

    def __get__(self, stub: object | None, owner: type[Any] | None = None) -> Any:
        """What the class shows, without a warning; or the callable of `stub`."""
        return self._shown.__get__(None, owner) if stub is None else super().__get__(stub, owner)


def declare(stub: type[Any], shapes: Mapping[tuple[bool, bool], type[Any]]) -> None:
    """Makes the rpcs of a stub class its attributes, if the class itself names a service.

    Methods with these names that a user's class has, or inherits, are kept.

    Args:
        stub: the new class.
        shapes: the classes of callables by (client streaming, server streaming).
    """
    service: Service | None = vars(stub).get("__mesh__")
    if service is None:
        return
    for method in service.methods.values():
        name = method.attribute
        found = _class_attribute(stub, name)
        shown = Rpc(method, shapes[method.client_streaming, method.server_streaming], stub)
        if found is None or type(found) is Rpc:
            setattr(stub, name, shown)
        elif isinstance(found, property):
            setattr(stub, name, DeprecatedRpc(found, shown))


def put(stub: object, attribute: str, call: object) -> None:
    """Gives a stub the callable of one of its rpcs."""
    found = _class_attribute(type(stub), attribute)
    # Not isinstance: a mock that has replaced an rpc claims to be one.
    if found is not None and not issubclass(type(found), Rpc | property):
        attribute = _OVERRIDDEN + attribute
    # Not by setattr, since a deprecated rpc is a property of the class.
    stub.__dict__[attribute] = call


def rpc(stub: object, attribute: str) -> Attribute:  # type: ignore[type-var]  # pyright: ignore[reportInvalidTypeVarUse]
    """The callable of one rpc of `stub`, with the type that the caller annotates.

    The generated properties of deprecated rpcs call this.

    Raises:
        AttributeError: the stub has no such rpc.
    """
    call: Attribute = _call_of(stub, attribute)
    return call


def _call_of(stub: object, attribute: str) -> Any:
    for name in (attribute, _OVERRIDDEN + attribute):
        if name in stub.__dict__:
            return stub.__dict__[name]
    missing = f"{type(stub).__name__!r} object has no attribute {attribute!r}"
    raise AttributeError(missing, name=attribute, obj=stub)


def _class_attribute(stub: type[Any], name: str) -> Any:
    """What a class has, or inherits, under `name`, without calling descriptors; None if it has nothing."""
    for each in stub.__mro__:
        if name in each.__dict__:
            return each.__dict__[name]
    return None
