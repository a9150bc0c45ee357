"""The asyncio twins of the names in `dubbo_mesh`, loaded like them when they are first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeAlias

    import grpc.aio

    from .._calling.aio_callables import StreamStream as StreamStream
    from .._calling.aio_callables import StreamUnary as StreamUnary
    from .._calling.aio_callables import UnaryStream as UnaryStream
    from .._calling.aio_callables import UnaryUnary as UnaryUnary
    from .._calling.aio_channels import channel as channel
    from .._calling.aio_stub import Stub as Stub
    from .._serving.aio_server import Server as Server
    from .._serving.aio_server import serve as serve
    from .._serving.aio_servicer import Servicer as Servicer
    from .._serving.aio_servicer import unimplemented as unimplemented
    from .._serving.aio_servicer import unimplemented_stream as unimplemented_stream
    from .._sidecar.aio_admin import Sidecar as Sidecar

    ServicerContext: TypeAlias = grpc.aio.ServicerContext[Any, Any]
    """The context that handlers are given; grpc's own."""

_HOMES = {
    "Server": ".._serving.aio_server",
    "Servicer": ".._serving.aio_servicer",
    "ServicerContext": "grpc.aio",
    "Sidecar": ".._sidecar.aio_admin",
    "StreamStream": ".._calling.aio_callables",
    "StreamUnary": ".._calling.aio_callables",
    "Stub": ".._calling.aio_stub",
    "UnaryStream": ".._calling.aio_callables",
    "UnaryUnary": ".._calling.aio_callables",
    "channel": ".._calling.aio_channels",
    "serve": ".._serving.aio_server",
    "unimplemented": ".._serving.aio_servicer",
    "unimplemented_stream": ".._serving.aio_servicer",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
