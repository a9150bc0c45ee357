"""One process's worth of modules: compiles, imports and registers them; answers in JSON.

Started with `-I -S` by `verify.py`, so that nothing but what it is told to look at can be imported:

    probe.py GENERATED SITE  < [{"file": …, "kinds": […], "services": {…}}, …]
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

GENERATED, SITE = (Path(argument) for argument in sys.argv[1:])
sys.path[:0] = [str(GENERATED), str(SITE)]

import grpc  # noqa: E402
import grpc.aio  # noqa: E402

SUFFIXES = {"messages": "_pb2", "grpc": "_pb2_grpc", "mesh": "_mesh"}

Services = dict[str, list[str]]


def module_name(file: str, kind: str) -> str:
    """The module of a proto file, as protoc names modules."""
    return file.removesuffix(".proto").replace("-", "_").replace("/", ".") + SUFFIXES[kind]


class Peers:
    """Both kinds of server and channel; none of them is ever connected."""

    def __init__(self) -> None:
        self.server = grpc.server(ThreadPoolExecutor(1))
        self.aio_server = grpc.aio.server()
        self.channel = grpc.insecure_channel("127.0.0.1:1")
        self.aio_channel = grpc.aio.insecure_channel("127.0.0.1:1")


def register_grpc(module: ModuleType, services: Services, peers: Peers) -> None:
    """Uses what grpc_python_out made of `services`."""
    for service, rpcs in services.items():
        servicer = getattr(module, f"{service}Servicer")()
        getattr(module, f"add_{service}Servicer_to_server")(servicer, peers.server)
        stub = getattr(module, f"{service}Stub")(peers.channel)
        for rpc in rpcs:
            getattr(stub, rpc)
            getattr(servicer, rpc)


def register_mesh(module: ModuleType, services: Services, peers: Peers, messages: ModuleType) -> None:
    """Uses what our plugin made of `services`, which must be what protoc's descriptor says."""
    for name, rpcs in services.items():
        add = getattr(module, f"add_{name}Servicer_to_server")
        servicer, async_servicer = (
            getattr(module, f"{name}{kind}")() for kind in ("Servicer", "AsyncServicer")
        )
        add(servicer, peers.server)
        add(servicer, peers.aio_server)
        add(async_servicer, grpc.aio.server())
        sync_stub = getattr(module, f"{name}Stub")
        stubs = (
            sync_stub(peers.channel),
            sync_stub(peers.aio_channel),
            getattr(module, f"{name}AsyncStub")(peers.aio_channel),
        )
        service = sync_stub.__mesh__
        described = messages.DESCRIPTOR.services_by_name[name]
        assert service.name == described.full_name, service.name
        assert list(service.methods) == rpcs, list(service.methods)
        for rpc in described.methods:
            method = service.methods[rpc.name]
            assert method.path == f"/{described.full_name}/{rpc.name}", method.path
            assert method.request_type.DESCRIPTOR is rpc.input_type, method.path
            assert method.response_type.DESCRIPTOR is rpc.output_type, method.path
            streams = (rpc.client_streaming, rpc.server_streaming)
            assert (method.client_streaming, method.server_streaming) == streams, method.path
            for holder in (*stubs, servicer, async_servicer):
                assert callable(getattr(holder, method.attribute)), method.path


def compiles(file: str, kind: str) -> None:
    """Compiles a module's text; what only warns is an error too."""
    path = GENERATED / (module_name(file, kind).replace(".", "/") + ".py")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile(path.read_bytes(), path, "exec", dont_inherit=True)


def probe(file: str, kind: str, services: Services, peers: Peers) -> tuple[str, str]:
    """How far a module comes (`compile`, `import`, `register`, `done`), and why not further."""
    stage = "compile"
    try:
        compiles(file, kind)
        stage = "import"
        module = importlib.import_module(module_name(file, kind))
        if not str(module.__file__).startswith(f"{GENERATED}{os.sep}"):
            raise ImportError(f"{module.__name__} is hidden by that of an installed package")
        stage = "register"
        if kind == "grpc":
            register_grpc(module, services, peers)
        elif kind == "mesh":
            register_mesh(module, services, peers, importlib.import_module(module_name(file, "messages")))
    except Exception as error:  # noqa: BLE001  # whatever a module does is a result
        return stage, "".join(traceback.format_exception_only(error)).strip()
    return "done", ""


async def main() -> None:
    """Answers what is asked on standard input."""
    asked: list[dict[str, Any]] = json.load(sys.stdin)
    peers = Peers()
    answers = [
        [one["file"], kind, *probe(one["file"], kind, one["services"], peers)]
        for one in asked
        for kind in one["kinds"]
    ]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
