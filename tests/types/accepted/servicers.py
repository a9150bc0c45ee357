"""Servicers of both kinds, on servers of both kinds."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import assert_type

import grpc
from library.catalogue_mesh import (
    CatalogueAsyncServicer,
    CatalogueServicer,
    DoorsServicer,
    add_CatalogueServicer_to_server,
    add_DoorsServicer_to_server,
)
from library.catalogue_pb2 import Book, Query, Receipt

import dubbo_mesh
import dubbo_mesh.aio


class Catalogue(CatalogueServicer):
    def Find(self, request: Query, context: grpc.ServicerContext) -> Book:
        if not request.title:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no title")
        current = dubbo_mesh.current_request()
        assert_type(current, dubbo_mesh.RequestContext | None)
        return Book(title=request.title)

    def List(self, request: Query, context: grpc.ServicerContext) -> Iterator[Book]:
        yield Book()

    def Donate(self, request_iterator: Iterator[Book], context: grpc.ServicerContext) -> Receipt:
        return Receipt(number=sum(1 for _ in request_iterator))

    def Recommend(self, request_iterator: Iterator[Book], context: grpc.ServicerContext) -> Iterator[Book]:
        yield from request_iterator

    def import_(self, request: Book, context: grpc.ServicerContext) -> Receipt:
        return super().import_(request, context)


class AsyncCatalogue(CatalogueAsyncServicer):
    async def Find(self, request: Query, context: dubbo_mesh.aio.ServicerContext) -> Book:
        if not request.title:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no title")
        await asyncio.sleep(0)
        return Book(title=request.title)

    async def List(self, request: Query, context: dubbo_mesh.aio.ServicerContext) -> AsyncIterator[Book]:
        yield Book()

    async def Donate(
        self, request_iterator: AsyncIterator[Book], context: dubbo_mesh.aio.ServicerContext
    ) -> Receipt:
        return Receipt(number=len([book async for book in request_iterator]))

    async def Recommend(
        self, request_iterator: AsyncIterator[Book], context: dubbo_mesh.aio.ServicerContext
    ) -> AsyncIterator[Book]:
        async for book in request_iterator:
            yield book


def servers() -> None:
    server = grpc.server(ThreadPoolExecutor())
    add_CatalogueServicer_to_server(Catalogue(), server)
    add_DoorsServicer_to_server(DoorsServicer(), server)
    aio_server = grpc.aio.server()
    add_CatalogueServicer_to_server(AsyncCatalogue(), aio_server)
    add_CatalogueServicer_to_server(Catalogue(), aio_server)


def whole_life() -> None:
    dubbo_mesh.serve(Catalogue(), port=50051)


async def whole_async_life() -> None:
    await dubbo_mesh.aio.serve(AsyncCatalogue(), port=50051)
