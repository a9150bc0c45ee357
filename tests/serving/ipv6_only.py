"""Plays a pod that has no IPv4: run in a network namespace of its own, it prints who is reached, as JSON.

unshare --net python -m tests.serving.ipv6_only sync|aio
"""

from __future__ import annotations

import asyncio
import fcntl
import http.client
import json
import logging
import socket
import struct
import sys
from collections.abc import Callable

import grpc
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import dubbo_mesh.aio
from tests.calling.echo import EchoStub
from tests.serving.conftest import Health
from tests.serving.providers import AsyncProvider, Provider

PROBES = 22222
SETTINGS: dict[str, object] = {"port": 0, "sidecar": "off", "drain": 0}


def keep_only_ipv6_on_loopback() -> None:
    flags, address = struct.Struct("16sh14x"), struct.Struct("16sH14x")  # struct ifreq of Linux
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, flags.pack(b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
        fcntl.ioctl(control, 0x8916, address.pack(b"lo", socket.AF_INET))  # SIOCSIFADDR: 0.0.0.0 removes it


def reached(port: int) -> dict[str, str]:
    return {
        "IPv4": answer(lambda: str(socket.create_connection(("127.0.0.1", port), 5).getpeername())),
        "service": answer(lambda: call(port)),
        "health": answer(lambda: check(port)),
        "probes": answer(lambda: probe("/ready")),
    }


def answer(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (OSError, grpc.RpcError) as error:
        return type(error).__name__


def call(port: int) -> str:
    with EchoStub(target=f"[::1]:{port}") as stub:
        return stub.unary(StringValue(value="echo"), timeout=10).value


def check(port: int) -> str:
    with grpc.insecure_channel(f"[::1]:{port}") as channel:
        return Health(channel).check()


def probe(path: str) -> str:
    connection = http.client.HTTPConnection("::1", PROBES, timeout=5)
    connection.request("GET", path)
    return connection.getresponse().read().decode()


def on_threads() -> dict[str, str]:
    with dubbo_mesh.Server(Provider(), **SETTINGS) as server:  # type: ignore[arg-type]
        return reached(server.ports[0])


async def on_asyncio() -> dict[str, str]:
    async with dubbo_mesh.aio.Server(AsyncProvider(), **SETTINGS) as server:  # type: ignore[arg-type]
        return await asyncio.to_thread(reached, server.ports[0])


if __name__ == "__main__":
    logging.basicConfig()
    keep_only_ipv6_on_loopback()
    seen = on_threads() if sys.argv[1] == "sync" else asyncio.run(on_asyncio())
    json.dump(seen, sys.stdout)
