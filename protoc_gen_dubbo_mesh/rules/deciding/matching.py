"""Whether tests hold for requests and instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stages import Argument, Attachment, Constant, Glob, Method, Param, Place, Range, Reference, Regex
from . import regexes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..stages import Pattern, Test
    from ..worlds import Instance, Request


class CrashError(Exception):
    """Dubbo crashes; the message says why."""


def holds_for_request(test: Test, request: Request) -> bool:
    """Whether a test of the left side holds for a request."""
    match test.subject:
        case Method():
            value: str | None = request.method
        case Attachment(key, not_found):
            value = request.attachments.get(key) if key else not_found
        case Argument(position, not_found, crashes):
            if crashes and position == len(request.arguments):
                raise CrashError(
                    f"it crashes: there is no argument {position}, and it does not check for that"
                )
            found = request.arguments[position : position + 1] if position >= 0 else ()
            value = str(found[0]) if found else not_found
        case Place(key) | Param(key):
            value = consumer_url(request).get(key)
    return _holds(test, value, request)


def holds_for_instance(test: Test, instance: Instance, request: Request) -> bool:
    """Whether a test of the right side holds for an instance."""
    match test.subject:
        case Place(key) | Param(key):
            value = instance_url(instance, request).get(key)
        case _:
            value = None
    return _holds(test, value, request)


def consumer_url(request: Request) -> Mapping[str, str]:
    """The consumer's URL as a map of its parameters and parts (URL.toMap)."""
    consumer = request.consumer
    found = {
        "application": consumer.application,
        "interface": request.service,
        "side": "consumer",
        **({"version": request.version} if request.version is not None else {}),
        **({"group": request.group} if request.group is not None else {}),
        **consumer.params,
    }
    found.update(protocol="consumer", host=consumer.host, path=request.service, address=consumer.host)
    found.update({"/path": f"/{request.service}", "/port": "0"})  # in dubbo-go
    return found


def instance_url(instance: Instance, request: Request) -> Mapping[str, str]:
    """An instance's URL as a consumer sees it (ClusterUtils.mergeUrl): the application is the consumer's."""
    found = {
        "application": request.consumer.application,
        "remote.application": instance.application,
        "interface": request.service,
        "side": "provider",
        **instance.params,
    }
    port = str(instance.port)
    found.update(
        protocol="tri",
        host=instance.host,
        port=port,
        path=request.service,
        address=f"{instance.host}:{port}",
    )
    found["/path"] = f"/{request.service}"  # in dubbo-go
    return found


def _holds(test: Test, value: str | None, request: Request) -> bool:
    if value is None or (test.empty_is_absent and not value):
        return test.if_absent
    if any(_matches(pattern, value, request) for pattern in test.unequal):
        return False
    return not test.equal or any(_matches(pattern, value, request) for pattern in test.equal)


def _matches(pattern: Pattern, value: str, request: Request) -> bool:
    match pattern:
        case Glob() | Range():
            return pattern.holds(value)
        case Reference(param):
            prefix, star, suffix = consumer_url(request).get(param, "").rpartition("*")
            return (Glob(prefix, star=True, suffix=suffix) if star else Glob(suffix)).holds(value)
        case Constant(holds):
            return holds
        case Regex(regex, anywhere):
            return regexes.matches(regex, value, anywhere=anywhere)
