"""A provider as a process of its own.

    python -m tests.serving.provider_process sync|aio|plain ADDRESS [SETTING=JSON ...]

`plain` is what grpc's examples do: a server that is stopped, with grace, on SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

import dubbo_mesh
import dubbo_mesh.aio
from tests.calling.echo import add_EchoServicer_to_server
from tests.serving.providers import AsyncProvider, Provider

THREADS = 64


def plain(address: str, grace: float) -> None:
    """Serves as grpc's examples do."""
    server = grpc.server(ThreadPoolExecutor(THREADS), options=[("grpc.so_reuseport", 0)])
    add_EchoServicer_to_server(Provider(), server)
    server.add_insecure_port(address)

    def stop(_number: int, _frame: object) -> None:
        server.stop(grace)

    signal.signal(signal.SIGTERM, stop)
    server.start()
    server.wait_for_termination()


def main(kind: str, address: str, *assignments: str) -> None:
    """Serves until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings: dict[str, Any] = {
        name: json.loads(value) for name, _, value in (each.partition("=") for each in assignments)
    }
    if kind == "plain":
        plain(address, settings["grace"])
    elif kind == "aio":
        asyncio.run(dubbo_mesh.aio.serve(AsyncProvider(), address=address, **settings))
    else:
        dubbo_mesh.serve(Provider(), address=address, max_workers=THREADS, **settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
