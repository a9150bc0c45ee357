"""Greets whoever is named on the command line, through the mesh."""

import sys

from greeter_mesh import GreeterStub
from greeter_pb2 import HelloRequest

with GreeterStub() as greeter:
    for name in sys.argv[1:] or ["world"]:
        print(greeter.sayHello(HelloRequest(name=name)).message)
