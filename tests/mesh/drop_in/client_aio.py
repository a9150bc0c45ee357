"""An asyncio client in the style of grpc's own examples: the same stub, given an asyncio channel."""

import asyncio
import sys

import greeter_pb2
import grpc
from greeter_pb2_grpc import GreeterStub


def requests():
    for name in ("Ada", "Grace", "Barbara"):
        yield greeter_pb2.HelloRequest(name=name)


async def run():
    async with grpc.aio.insecure_channel(f"localhost:{sys.argv[1]}") as channel:
        stub = GreeterStub(channel)
        print((await stub.sayHello(greeter_pb2.HelloRequest(name="Ada"))).message)
        print((await stub.sayHelloToAll(requests())).message)
        async for reply in stub.keepSayingHello(greeter_pb2.HelloRequest(name="Ada")):
            print(reply.message)
        each = stub.sayHelloToEach(timeout=10)
        for request in requests():
            await each.write(request)
            print((await each.read()).message)
        await each.done_writing()
        assert await each.read() is grpc.aio.EOF

        call = stub.sayHello(greeter_pb2.HelloRequest(name="Grace"), timeout=10, metadata=(("key", "value"),))
        reply = await call
        print(reply.message, await call.code(), dict(await call.trailing_metadata())["greeted"])
        call = stub.sayHello(greeter_pb2.HelloRequest(name="Barbara"), wait_for_ready=True)
        print((await call).message)
        try:
            await stub.sayHello(greeter_pb2.HelloRequest())
        except grpc.RpcError as error:
            print(error.code(), error.details())


if __name__ == "__main__":
    asyncio.run(run())
