"""Servers that are not ours, for the doctor to look at."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

OFF = {"DUBBO_MESH_ADMIN": "off", "DUBBO_MESH_PROBES": "off"}
"""The variables where there is neither a sidecar nor probes."""


@contextmanager
def plain(
    *added: Callable[[grpc.Server], object],
    interceptors: list[grpc.ServerInterceptor] | None = None,
    options: Sequence[tuple[str, Any]] = (),
) -> Generator[str]:
    """The address of a plain server of grpcio's.

    Args:
        added: Functions that add services to it.
        interceptors: As of grpcio.
        options: As of grpcio.
    """
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, interceptors=interceptors, options=options)
        for add in added:
            add(server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()
