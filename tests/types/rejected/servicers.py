"""Mistakes in servicers."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from library.catalogue_mesh import (
    CatalogueAsyncServicer,
    CatalogueServicer,
    DoorsServicer,
    add_CatalogueServicer_to_server,
)
from library.catalogue_pb2 import Book, Query, Receipt

from dubbo_mesh.aio import ServicerContext


class WrongSignatures(CatalogueServicer):
    def Find(self, request: Query, context: grpc.ServicerContext) -> Query:  # E
        return request

    def List(self, request: Book, context: grpc.ServicerContext) -> Iterator[Book]:  # E
        yield request

    def Donate(self, request_iterator: Book, context: grpc.ServicerContext) -> Receipt:  # E
        return Receipt()

    async def Recommend(  # E
        self, request_iterator: Iterator[Book], context: grpc.ServicerContext
    ) -> AsyncIterator[Book]:
        yield Book()


class WrongBodies(CatalogueServicer):
    def Find(self, request: Query, context: grpc.ServicerContext) -> Book:
        return request  # E

    def List(self, request: Query, context: grpc.ServicerContext) -> Iterator[Book]:
        yield request  # E

    def Donate(self, request_iterator: Iterator[Book], context: grpc.ServicerContext) -> Receipt:
        print(request_iterator.number)  # E
        return Receipt(number="one")  # E


class WrongAsyncSignatures(CatalogueAsyncServicer):
    async def Find(self, request: Query, context: ServicerContext) -> Receipt:  # E
        return Receipt()

    def Donate(self, request_iterator: AsyncIterator[Book], context: ServicerContext) -> Receipt:  # E
        return Receipt()

    async def Recommend(self, request_iterator: Book, context: ServicerContext) -> AsyncIterator[Book]:  # E
        yield request_iterator


class WrongAsyncBodies(CatalogueAsyncServicer):
    async def Find(self, request: Query, context: ServicerContext) -> Book:
        return request  # E

    async def List(self, request: Query, context: ServicerContext) -> AsyncIterator[Book]:
        yield request  # E

    async def Donate(self, request_iterator: AsyncIterator[Book], context: ServicerContext) -> Receipt:
        return Receipt(number=len(list(request_iterator)))  # E


def registering() -> None:
    server = grpc.server(ThreadPoolExecutor())
    add_CatalogueServicer_to_server(DoorsServicer(), server)  # E
    add_CatalogueServicer_to_server(CatalogueServicer, server)  # E
    add_CatalogueServicer_to_server(CatalogueServicer(), "server")  # E
