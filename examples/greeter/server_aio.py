"""Provides the Greeter on asyncio, from the first health check to a graceful end."""

import asyncio

from greeter_mesh import GreeterAsyncServicer
from greeter_pb2 import HelloReply, HelloRequest

import dubbo_mesh.aio


class Greeter(GreeterAsyncServicer):
    async def sayHello(self, request: HelloRequest, context: dubbo_mesh.aio.ServicerContext) -> HelloReply:
        return HelloReply(message=f"Hello, {request.name}!")


asyncio.run(dubbo_mesh.aio.serve(Greeter()))
