"""A provider for the demo: `demo_provider.py NAME [--plain-stop]`.

It says who it is, and is not available to those called Second at their first attempt. With
`--plain-stop` it ends on SIGTERM as grpc's own examples do, without telling its sidecar.
"""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from greeter_mesh import GreeterServicer, add_GreeterServicer_to_server
from greeter_pb2 import HelloReply, HelloRequest

import dubbo_mesh

NAME = sys.argv[1]


class Greeter(GreeterServicer):
    def sayHello(self, request: HelloRequest, context: grpc.ServicerContext) -> HelloReply:
        call = dubbo_mesh.current_request()
        if request.name == "Second" and call is not None and call.attempt == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not at the first attempt")
        return HelloReply(message=f"Hello, {request.name}! {NAME} ({os.getpid()})")

    def keepSayingHello(self, request: HelloRequest, context: grpc.ServicerContext) -> Iterator[HelloReply]:
        for _ in range(3):
            yield HelloReply(message=f"Hello, {request.name}! {NAME} ({os.getpid()})")


if "--plain-stop" in sys.argv:
    server = grpc.server(ThreadPoolExecutor(10))
    add_GreeterServicer_to_server(Greeter(), server)
    server.add_insecure_port(os.environ["DUBBO_MESH_LISTEN"])
    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=5))
    server.start()
    server.wait_for_termination()
else:
    dubbo_mesh.serve(Greeter())
