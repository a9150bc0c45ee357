"""An asyncio server in the style of grpc's own examples: the same base class, async methods."""

import asyncio

import greeter_pb2
import grpc
from greeter_pb2_grpc import GreeterServicer, add_GreeterServicer_to_server


class Greeter(GreeterServicer):
    async def sayHello(self, request, context):
        if not request.name:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "nobody to greet")
        context.set_trailing_metadata((("greeted", request.name.lower()),))
        return greeter_pb2.HelloReply(message=f"Hello, {request.name}!")

    async def sayHelloToAll(self, request_iterator, context):
        names = [request.name async for request in request_iterator]
        return greeter_pb2.HelloReply(message=f"Hello, {' and '.join(names)}!")

    async def keepSayingHello(self, request, context):
        for count in range(1, 4):
            yield greeter_pb2.HelloReply(message=f"Hello, {request.name}, {count}!")

    async def sayHelloToEach(self, request_iterator, context):
        async for request in request_iterator:
            await context.write(greeter_pb2.HelloReply(message=f"Hello, {request.name}!"))


async def serve():
    server = grpc.aio.server()
    add_GreeterServicer_to_server(Greeter(), server)
    port = server.add_insecure_port("localhost:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
