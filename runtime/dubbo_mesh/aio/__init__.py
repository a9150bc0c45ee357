"""The asyncio twins of the names in `dubbo_mesh`, loaded like them when they are first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeAlias

    import grpc.aio

    from ._channels import channel as channel
    from ._server import Server as Server
    from ._server import serve as serve
    from ._servicer import Servicer as Servicer
    from ._servicer import unimplemented as unimplemented
    from ._servicer import unimplemented_stream as unimplemented_stream
    from ._sidecar import Sidecar as Sidecar
    from ._stub import StreamStream as StreamStream
    from ._stub import StreamUnary as StreamUnary
    from ._stub import Stub as Stub
    from ._stub import UnaryStream as UnaryStream
    from ._stub import UnaryUnary as UnaryUnary

    ServicerContext: TypeAlias = grpc.aio.ServicerContext[Any, Any]
    """The context that handlers are given; grpc's own."""

_HOMES = {
    "Server": "._server",
    "Servicer": "._servicer",
    "ServicerContext": "grpc.aio",
    "Sidecar": "._sidecar",
    "StreamStream": "._stub",
    "StreamUnary": "._stub",
    "Stub": "._stub",
    "UnaryStream": "._stub",
    "UnaryUnary": "._stub",
    "channel": "._channels",
    "serve": "._server",
    "unimplemented": "._servicer",
    "unimplemented_stream": "._servicer",
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
