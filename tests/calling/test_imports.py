"""Starting is to be quick: a client loads nothing that it does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.calling.chain import on_threads
from tests.calling.echo import EchoServicer

CLIENT = """
import asyncio, sys

import grpc
from google.protobuf.wrappers_pb2 import StringValue

before = set(sys.modules)

from dubbo_mesh import EnvoyHeaders
from tests.calling.echo import EchoAsyncStub, EchoStub

async def call():
    async with EchoAsyncStub(target=sys.argv[1]) as stub:
        await stub.unary(StringValue(), timeout=10, envoy=EnvoyHeaders(max_retries=1, retry_on="reset"))

with EchoStub(target=sys.argv[1]) as stub:
    for run in (lambda: stub.unary(StringValue(), timeout=10), lambda: asyncio.run(call())):
        try:
            run()
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED, error

loaded = [name for name in sys.modules if name not in before]
print(*loaded)
"""
USED_LATER_IF_AT_ALL = (
    "dubbo_mesh._health",
    "dubbo_mesh._serving.server",
    "dubbo_mesh._context.client_cert",
    "grpc_health",
    "http",
    "importlib.metadata",
    "ipaddress",
    "json",
    "secrets",
    "socketserver",
    "urllib",
    "uuid",
)


def test_a_client_loads_only_what_it_uses() -> None:
    with on_threads(EchoServicer()) as address:
        command = [sys.executable, "-c", CLIENT, address]
        root = Path(__file__).parents[2]
        said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
    loaded = said.stdout.split()
    assert "dubbo_mesh._calling.stub" in loaded
    assert [name for name in loaded if name.startswith(USED_LATER_IF_AT_ALL)] == []
