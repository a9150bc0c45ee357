"""Greets whoever is named on the command line, all at once, through the mesh."""

import asyncio
import sys

from greeter_mesh import GreeterAsyncStub
from greeter_pb2 import HelloRequest


async def main(names: list[str]) -> None:
    async with GreeterAsyncStub() as greeter:
        calls = [greeter.sayHello(HelloRequest(name=name)) for name in names]
        for reply in await asyncio.gather(*calls):
            print(reply.message)


asyncio.run(main(sys.argv[1:] or ["world"]))
