"""Base class of generated servicers for servers on threads. `aio_servicer` is the twin."""

from typing import ClassVar, NoReturn

import grpc

from .._contract.service import Service


class Servicer:
    """Base class of generated servicers.

    Attributes:
        __mesh__: the service. A class derived from a generated servicer may set it to one of the same name
            with another version or group. A class derived from servicers of several services serves them all.
    """

    __mesh__: ClassVar[Service]


def unimplemented(context: grpc.ServicerContext, path: str) -> NoReturn:
    """Ends a call with UNIMPLEMENTED: the default of each method of a generated servicer."""
    context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{path} is not implemented by this server")
