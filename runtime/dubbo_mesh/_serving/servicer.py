"""Bases of generated servicers, for synchronous code. `aio/_servicer.py` is their twin."""

from typing import ClassVar, NoReturn

import grpc

from .._contract.service import Service


class Servicer:
    """Base of generated servicers, which are the base of a provider's own."""

    __mesh__: ClassVar[Service]


def unimplemented(context: grpc.ServicerContext, path: str) -> NoReturn:
    """Ends the rpc with UNIMPLEMENTED: nobody has overridden the method of the generated servicer."""
    context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{path} is not implemented by this server")
