"""A provider that is a consumer too, for the demo: `demo_frontdesk.py [--plain-stub]`.

It has each guest greeted by the greeter, another application. With `--plain-stub` it calls that
with protoc's own stub, which knows nothing of the request being served.
"""

import sys

import greeter_pb2_grpc
import grpc
from frontdesk_mesh import FrontDeskServicer
from greeter_mesh import GreeterStub
from greeter_pb2 import HelloReply, HelloRequest

import dubbo_mesh

PLAIN = "--plain-stub" in sys.argv


class FrontDesk(FrontDeskServicer):
    def __init__(self) -> None:
        channel = dubbo_mesh.channel(GreeterStub.__mesh__.target())
        self._greeter = greeter_pb2_grpc.GreeterStub(channel) if PLAIN else GreeterStub(channel)

    def welcome(self, request: HelloRequest, context: grpc.ServicerContext) -> HelloReply:
        return self._greeter.sayHello(request)


dubbo_mesh.serve(FrontDesk())
