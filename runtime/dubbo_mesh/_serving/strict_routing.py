"""Version and group, taken at their word.

Dubbo Java's Triple provider looks for the exact service key, `[group/]interface[:version]`, and falls back to
the interface alone (`TriplePathResolver`): whoever calls is served. With strict routing a caller that asks
for another version or group than the provider's is turned away, one that asks for none included.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

if TYPE_CHECKING:
    from .._contract.service import Service

_VERSION = "tri-service-version"
_GROUP = "tri-service-group"


class StrictRouting(grpc.GenericRpcHandler):
    """Answers, before any other handler, the calls for a version or group that is not provided here."""

    def __init__(self, services: Mapping[str, Service], *, asynchronous: bool) -> None:
        """Knows the services of `services`, by full name, those yet to be added too."""
        self._services = services
        self._asynchronous = asynchronous

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Finds the handler of a call that is to be turned away; None for others."""
        service = self._services.get(handler_call_details.method.split("/", 2)[1])
        if service is None:
            return None
        asked = dict(handler_call_details.invocation_metadata or ())
        version, group = asked.get(_VERSION), asked.get(_GROUP)
        if (version or None, group or None) == (service.version, service.group):
            return None
        refusal = (
            f"{service.name} is provided here as {service.key!r} only; the call asks for "
            f"{_VERSION} {version!r} and {_GROUP} {group!r}"
        )
        return _refusing_async(refusal) if self._asynchronous else _refusing(refusal)


# As handlers of streams they do not wait for a request, whatever the shape of the call.


def _refusing(refusal: str) -> grpc.RpcMethodHandler[Any, Any]:
    def refuse(_requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, refusal)
        yield  # never reached; it makes this a generator

    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(refuse)
    return handler


def _refusing_async(refusal: str) -> grpc.RpcMethodHandler[Any, Any]:
    async def refuse(_requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, refusal)
        yield  # never reached; it makes this a generator

    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(refuse)
    return handler
