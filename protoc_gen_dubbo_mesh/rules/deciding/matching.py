"""Whether tests hold for requests and instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import Argument, Attachment, Constant, Glob, Method, Param, Place, Reference

if TYPE_CHECKING:
    from ..stages import Pattern, Test
    from ..worlds import Instance, Request


def holds_for_request(test: Test, request: Request) -> bool:
    """Whether a test of the left side holds for a request."""
    consumer = request.consumer
    match test.subject:
        case Method():
            value: str | None = request.method
        case Attachment(key):
            value = request.attachments.get(key)
        case Argument(position):
            value = str(request.arguments[position]) if position < len(request.arguments) else None
        case Place(part):
            value = {"host": consumer.host}.get(part)
        case Param(key):
            value = {
                "application": consumer.application,
                "interface": request.service,
                **consumer.params,
            }.get(key)
    return _holds(test, value, request)


def holds_for_instance(test: Test, instance: Instance, request: Request) -> bool:
    """Whether a test of the right side holds for an instance."""
    match test.subject:
        case Place("host"):
            value: str | None = instance.host
        case Place("port"):
            value = str(instance.port)
        case Place("address"):
            value = f"{instance.host}:{instance.port}"
        case Param(key):
            value = instance.params.get(key)
        case _:
            value = None
    return _holds(test, value, request)


def _holds(test: Test, value: str | None, request: Request) -> bool:
    if value is None:
        return test.if_absent
    if any(_matches(pattern, value, request) for pattern in test.unequal):
        return False
    return not test.equal or any(_matches(pattern, value, request) for pattern in test.equal)


def _matches(pattern: Pattern, value: str, request: Request) -> bool:
    match pattern:
        case Glob(prefix, star, suffix):
            return value.startswith(prefix) and value.endswith(suffix) if star else value == prefix
        case Reference(param):
            return request.consumer.params.get(param) == value
        case Constant(holds):
            return holds
        case _:
            raise NotImplementedError
