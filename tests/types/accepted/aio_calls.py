"""Async calls, in all the ways of grpc's."""

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

import grpc
from library.catalogue_mesh import CatalogueAsyncStub, CatalogueStub
from library.catalogue_pb2 import Book, Query, Receipt

import dubbo_mesh.aio
from dubbo_mesh import EnvoyHeaders


async def unary(stub: CatalogueAsyncStub) -> None:
    assert_type(await stub.Find(Query(title="Emma")), Book)
    assert_type(await stub.Find(Query(), timeout=3.0, envoy=EnvoyHeaders(max_retries=1)), Book)
    assert_type(await stub.import_(Book()), Receipt)

    call = stub.Find(Query(), metadata=(("key", "value"),))
    assert_type(await call, Book)
    assert_type(await call.code(), grpc.StatusCode)
    assert_type(call.cancel(), bool)
    await call.initial_metadata()


async def streams(stub: CatalogueAsyncStub, books: AsyncIterator[Book], few: Iterator[Book]) -> None:
    async for book in stub.List(Query()):
        assert_type(book, Book)

    assert_type(await stub.Donate(books), Receipt)
    assert_type(await stub.Donate(few), Receipt)
    donation = stub.Donate()
    await donation.write(Book())
    await donation.done_writing()
    assert_type(await donation, Receipt)

    async for book in stub.Recommend(books, envoy=EnvoyHeaders(timeout=1)):
        assert_type(book, Book)
    recommendations = stub.Recommend()
    await recommendations.write(Book())
    await recommendations.read()


async def making() -> None:
    async with CatalogueAsyncStub() as stub:
        assert_type(stub, CatalogueAsyncStub)
    async with grpc.aio.insecure_channel("localhost:50051") as channel:
        assert_type(CatalogueAsyncStub(channel), CatalogueAsyncStub)
        assert_type(CatalogueStub(channel), CatalogueAsyncStub)
        assert_type(CatalogueStub(channel, envoy=EnvoyHeaders(timeout=1)), CatalogueAsyncStub)
        assert_type(await CatalogueStub(channel).Find(Query()), Book)
    shared = dubbo_mesh.aio.channel(dubbo_mesh.Target("library"))
    assert_type(CatalogueStub(shared), CatalogueAsyncStub)
