"""Typed code that was written for `_pb2_grpc`: nothing has changed but the import."""

from collections.abc import Iterator
from concurrent import futures

import grpc
import grpc.aio
import library.catalogue_mesh as catalogue_pb2_grpc
from library import catalogue_pb2


class Catalogue(catalogue_pb2_grpc.CatalogueServicer):
    def Find(self, request: catalogue_pb2.Query, context: grpc.ServicerContext) -> catalogue_pb2.Book:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        return catalogue_pb2.Book()

    def List(
        self, request: catalogue_pb2.Query, context: grpc.ServicerContext
    ) -> Iterator[catalogue_pb2.Book]:
        yield from (catalogue_pb2.Book(), catalogue_pb2.Book())


def serve() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
    catalogue_pb2_grpc.add_CatalogueServicer_to_server(Catalogue(), server)
    server.add_insecure_port("[::]:50051")
    server.start()
    server.wait_for_termination()


def run() -> list[str]:
    with grpc.insecure_channel("localhost:50051") as channel:
        stub = catalogue_pb2_grpc.CatalogueStub(channel)
        try:
            found: catalogue_pb2.Book = stub.Find(catalogue_pb2.Query(title="Emma"), timeout=10)
        except grpc.RpcError as error:
            return [str(error)]
        reply_future = stub.Find.future(catalogue_pb2.Query(), metadata=[("key", "value")])
        reply_future.add_done_callback(print)
        return [found.title, *(book.title for book in stub.List(catalogue_pb2.Query()))]


async def run_async() -> str:
    async with grpc.aio.insecure_channel("localhost:50051") as channel:
        stub = catalogue_pb2_grpc.CatalogueStub(channel)
        reply: catalogue_pb2.Book = await stub.Find(catalogue_pb2.Query())
        return reply.title
