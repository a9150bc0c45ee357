"""Serves shop.v1.Stock on our servers, sync and async, with reflection: `python serve.py DIRECTORY`.

DIRECTORY has the generated modules. Each server is called, asked for its health and for what it serves.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import dubbo_mesh
import dubbo_mesh.aio

sys.path.insert(0, sys.argv[1])
orders_pb2: Any = importlib.import_module("shop.v1.orders_pb2")
stock_mesh: Any = importlib.import_module("shop.v1.stock_mesh")

OPTIONS: dict[str, Any] = {"reflection": True, "sidecar": "off", "probes": "off", "grace": 5}
ADDRESS = "127.0.0.1:0"


def reserve(_: object, request: Any, context: grpc.ServicerContext) -> Any:
    return request


async def reserve_async(_: object, request: Any, context: dubbo_mesh.aio.ServicerContext) -> Any:
    return request


def check(port: int) -> None:
    order = orders_pb2.Order()
    channel: Any
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert stock_mesh.StockStub(channel).Reserve(order, timeout=10) == order
        check_health = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert check_health(b"", timeout=10) == b"\x08\x01", "SERVING"
        reflected = ProtoReflectionDescriptorDatabase(channel)
        assert {"grpc.health.v1.Health", "shop.v1.Stock"} <= {*reflected.get_services()}
        stock = DescriptorPool(reflected).FindServiceByName("shop.v1.Stock")
        assert list(stock.methods_by_name) == ["Reserve"]


def serve() -> None:
    servicer = type("Servicer", (stock_mesh.StockServicer,), {"Reserve": reserve})
    server = dubbo_mesh.Server(servicer(), **OPTIONS)
    port = server.add_insecure_port(ADDRESS)
    server.start()
    check(port)
    server.stop(None).wait()


async def serve_async() -> None:
    servicer = type("Servicer", (stock_mesh.StockAsyncServicer,), {"Reserve": reserve_async})
    server = dubbo_mesh.aio.Server(servicer(), **OPTIONS)
    port = server.add_insecure_port(ADDRESS)
    await server.start()
    await asyncio.to_thread(check, port)
    await server.stop(None)


if __name__ == "__main__":
    serve()
    asyncio.run(serve_async())
