"""Bases of generated servicers, for asyncio. `../_servicer.py` is their twin."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar, NoReturn

import grpc
import grpc.aio

from .._contract.service import Service


class Servicer:
    """Base of generated async servicers, which are the base of a provider's own."""

    __mesh__: ClassVar[Service]


async def unimplemented(context: "grpc.aio.ServicerContext[Any, Any]", path: str) -> NoReturn:
    """Ends the rpc with UNIMPLEMENTED: nobody has overridden the method of the generated servicer."""
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{path} is not implemented by this server")


async def unimplemented_stream(
    context: "grpc.aio.ServicerContext[Any, Any]", path: str
) -> AsyncIterator[Any]:
    """Ends the rpc with UNIMPLEMENTED when it is iterated over."""
    await unimplemented(context, path)
    yield  # never reached; it makes this a generator
