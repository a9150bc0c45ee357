"""Mistakes in async calls."""

import grpc
import grpc.aio
from library.catalogue_mesh import CatalogueAsyncStub, CatalogueStub
from library.catalogue_pb2 import Book, Query

from dubbo_mesh import EnvoyHeaders


async def no_await(stub: CatalogueAsyncStub) -> None:
    book: Book = stub.Find(Query())  # E
    print(stub.Find(Query()).title)  # E
    for listed in stub.List(Query()):  # E
        print(listed)  # E: pyright
    print(book, stub.Donate().number)  # E


async def no_await_after_the_sync_name(channel: grpc.aio.Channel) -> None:
    stub = CatalogueStub(channel)
    book: Book = stub.Find(Query())  # E
    print(book)
    stub.Find.with_call(Query())  # E
    stub.Find.future(Query())  # E


async def requests(stub: CatalogueAsyncStub) -> None:
    await stub.Find(Book())  # E
    await stub.Find(Query(), 3)  # E
    await stub.Donate([Book()])  # E
    await stub.Donate().write(Query())  # E
    await stub.List(Query())  # E
    await stub.Missing(Query())  # E
    await stub.Find(Query(), envoy="3s")  # E
    await stub.Find(Query(), envoy=EnvoyHeaders(max_retries="3"))  # E


async def responses(stub: CatalogueAsyncStub) -> None:
    query: Query = await stub.Find(Query())  # E
    print(query, (await stub.Find(Query())).author)  # E
    async for book in stub.List(Query()):
        print(book.author)  # E


async def making(channel: grpc.aio.Channel) -> None:
    CatalogueStub(channel, target="library")  # E
    with CatalogueAsyncStub() as stub:  # E
        print(stub)  # E: pyright
