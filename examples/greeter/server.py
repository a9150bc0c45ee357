"""Provides the Greeter, from the first health check to a graceful end."""

import grpc
from greeter_mesh import GreeterServicer
from greeter_pb2 import HelloReply, HelloRequest

import dubbo_mesh


class Greeter(GreeterServicer):
    def sayHello(self, request: HelloRequest, context: grpc.ServicerContext) -> HelloReply:
        return HelloReply(message=f"Hello, {request.name}!")


dubbo_mesh.serve(Greeter())
