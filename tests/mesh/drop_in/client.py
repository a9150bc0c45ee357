"""A client in the style of grpc's own examples."""

import sys

import greeter_pb2
import grpc
from greeter_pb2_grpc import GreeterStub


def requests():
    for name in ("Ada", "Grace", "Barbara"):
        yield greeter_pb2.HelloRequest(name=name)


def run():
    with grpc.insecure_channel(f"localhost:{sys.argv[1]}") as channel:
        stub = GreeterStub(channel)
        print(stub.sayHello(greeter_pb2.HelloRequest(name="Ada")).message)
        print(stub.sayHelloToAll(requests()).message)
        for reply in stub.keepSayingHello(greeter_pb2.HelloRequest(name="Ada")):
            print(reply.message)
        for reply in stub.sayHelloToEach(requests(), timeout=10):
            print(reply.message)

        reply, call = stub.sayHello.with_call(
            greeter_pb2.HelloRequest(name="Grace"), timeout=10, metadata=(("key", "value"),)
        )
        print(reply.message, call.code(), dict(call.trailing_metadata())["greeted"])
        future = stub.sayHello.future(greeter_pb2.HelloRequest(name="Barbara"), wait_for_ready=True)
        print(future.result().message)
        try:
            stub.sayHello(greeter_pb2.HelloRequest())
        except grpc.RpcError as error:
            print(error.code(), error.details())


if __name__ == "__main__":
    run()
