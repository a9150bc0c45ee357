"""Base class of generated servicers for servers on asyncio. `servicer` is the twin."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar, NoReturn

import grpc
import grpc.aio

from .._contract.service import Service


class Servicer:
    """Base class of generated async servicers.

    Attributes:
        __mesh__: the service. A class derived from a generated servicer may set it to one of the same name
            with another version or group. A class derived from servicers of several services serves them all.
    """

    __mesh__: ClassVar[Service]


async def unimplemented(context: "grpc.aio.ServicerContext[Any, Any]", path: str) -> NoReturn:
    """Ends a call with UNIMPLEMENTED: the default of each method of a generated servicer."""
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{path} is not implemented by this server")


async def unimplemented_stream(
    context: "grpc.aio.ServicerContext[Any, Any]", path: str
) -> AsyncIterator[Any]:
    """Ends a call with UNIMPLEMENTED once its responses are iterated over."""
    await unimplemented(context, path)
    yield  # never reached; it makes this a generator
