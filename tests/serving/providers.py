"""The provider that these tests serve, sync and async: what it does stands in the request.

`sleep 0.5` takes its time; `hold 0.5` too, and logs "holding" first, so that a test can wait until it runs
(the initial metadata of a unary call reaches its caller only with the response). `cert` looks at the caller,
`abort` ends with UNAVAILABLE, `raise` with an exception, `metadata` sends initial metadata of its own,
`stream 3 0.1` has three messages of a tenth of a second each. Anything else is echoed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator

import grpc
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
from tests.calling.echo import EchoAsyncServicer, EchoServicer

_log = logging.getLogger(__name__)

OWN = ("own", "metadata")


class Provider(EchoServicer):
    """On threads."""

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        word, _, rest = request.value.partition(" ")
        if word == "sleep":
            time.sleep(float(rest))
        elif word == "hold":
            _log.info("holding")
            time.sleep(float(rest))
        elif word == "abort":
            context.set_trailing_metadata((OWN,))
            context.abort(grpc.StatusCode.UNAVAILABLE, "as asked")
        elif word == "raise":
            raise ValueError("as asked")
        elif word == "metadata":
            context.send_initial_metadata((OWN,))
        elif word == "cert":
            look_at_the_caller()
        return request

    def serverStream(self, request: StringValue, context: grpc.ServicerContext) -> Iterator[StringValue]:
        word, _, rest = request.value.partition(" ")
        if word == "abort":
            context.abort(grpc.StatusCode.UNAVAILABLE, "as asked")
        if word == "metadata":
            context.send_initial_metadata((OWN,))
        for seconds in pauses(rest if word == "stream" else "3 0"):
            yield request
            time.sleep(seconds)

    def clientStream(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> StringValue:
        return StringValue(value=" ".join(request.value for request in request_iterator))

    def bidi(
        self, request_iterator: Iterator[StringValue], context: grpc.ServicerContext
    ) -> Iterator[StringValue]:
        yield from request_iterator


class AsyncProvider(EchoAsyncServicer):
    """On asyncio."""

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        word, _, rest = request.value.partition(" ")
        if word == "sleep":
            await asyncio.sleep(float(rest))
        elif word == "hold":
            _log.info("holding")
            await asyncio.sleep(float(rest))
        elif word == "abort":
            context.set_trailing_metadata((OWN,))
            await context.abort(grpc.StatusCode.UNAVAILABLE, "as asked")
        elif word == "raise":
            raise ValueError("as asked")
        elif word == "metadata":
            await context.send_initial_metadata((OWN,))
        elif word == "cert":
            look_at_the_caller()
        return request

    async def serverStream(
        self, request: StringValue, context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        word, _, rest = request.value.partition(" ")
        if word == "abort":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "as asked")
        if word == "metadata":
            await context.send_initial_metadata((OWN,))
        for seconds in pauses(rest if word == "stream" else "3 0"):
            yield request
            await asyncio.sleep(seconds)

    async def clientStream(
        self, request_iterator: AsyncIterator[StringValue], context: dubbo_mesh.aio.ServicerContext
    ) -> StringValue:
        return StringValue(value=" ".join([request.value async for request in request_iterator]))

    async def bidi(
        self, request_iterator: AsyncIterator[StringValue], context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        async for request in request_iterator:
            yield request


def look_at_the_caller() -> None:
    """Reads all that a request tells of its caller, as an application that trusts nobody does."""
    request = dubbo_mesh.current_request()
    assert request is not None
    assert isinstance(request.client_certs, tuple)
    assert request.client_cert is None or request.client_certs
    assert request.attachments is not None


def pauses(count_and_seconds: str) -> list[float]:
    """`3 0.1` as three pauses of a tenth of a second."""
    count, _, seconds = count_and_seconds.partition(" ")
    return [float(seconds)] * int(count)
