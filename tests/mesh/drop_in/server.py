"""A server in the style of grpc's own examples."""

from concurrent import futures

import greeter_pb2
import grpc
from greeter_pb2_grpc import GreeterServicer, add_GreeterServicer_to_server


class Greeter(GreeterServicer):
    def sayHello(self, request, context):
        if not request.name:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "nobody to greet")
        context.set_trailing_metadata((("greeted", request.name.lower()),))
        return greeter_pb2.HelloReply(message=f"Hello, {request.name}!")

    def sayHelloToAll(self, request_iterator, context):
        names = [request.name for request in request_iterator]
        return greeter_pb2.HelloReply(message=f"Hello, {' and '.join(names)}!")

    def keepSayingHello(self, request, context):
        for count in range(1, 4):
            yield greeter_pb2.HelloReply(message=f"Hello, {request.name}, {count}!")

    def sayHelloToEach(self, request_iterator, context):
        for request in request_iterator:
            yield greeter_pb2.HelloReply(message=f"Hello, {request.name}!")


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
    add_GreeterServicer_to_server(Greeter(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    serve()
