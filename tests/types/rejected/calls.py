"""Mistakes in sync calls."""

import grpc
from library.catalogue_mesh import CatalogueAsyncStub, CatalogueStub
from library.catalogue_pb2 import Book, Query

from dubbo_mesh import EnvoyHeaders


def requests(stub: CatalogueStub) -> None:
    stub.Find(Book())  # E
    stub.Find({"title": "Emma"})  # E
    stub.Find()  # E
    stub.Find.with_call(Book())  # E
    stub.Find.future(Book())  # E
    stub.List(Book())  # E
    stub.Donate(Book())  # E
    stub.Donate(iter([Query()]))  # E
    stub.Recommend(iter([Query()]))  # E


def responses(stub: CatalogueStub) -> None:
    query: Query = stub.Find(Query())  # E
    print(stub.Find(Query()).author)  # E
    for book in stub.Find(Query()):  # E
        print(book)  # E: pyright
    book = stub.List(Query())
    print(book.title)  # E
    title: str = stub.Find.future(Query()).result()  # E
    print(query, title)


def names(stub: CatalogueStub) -> None:
    stub.find(Query())  # E
    stub.Missing(Query())  # E
    stub.channel  # E  # noqa: B018


def arguments(stub: CatalogueStub) -> None:
    stub.Find(Query(), timeout="3")  # E
    stub.Find(Query(), metadata={"key": "value"})  # E
    stub.Find(Query(), retries=3)  # E
    stub.Find(Query(), envoy="3s")  # E
    stub.Find(Query(), envoy={"timeout": 3})  # E
    stub.Find(Query(), envoy=EnvoyHeaders(timeout="3s"))  # E
    stub.Find(Query(), envoy=EnvoyHeaders(retries=3))  # E
    stub.Find(Query(), envoy=EnvoyHeaders(retry_on=[5]))  # E
    stub.List(Query(), envoy=3)  # E


def making(channel: grpc.Channel) -> None:
    CatalogueStub(target=50051)  # E
    CatalogueStub(envoy={})  # E
    CatalogueStub("localhost:50051")  # E
    CatalogueStub(channel, "library")  # E
    CatalogueAsyncStub(channel)  # E


def old(stub: CatalogueStub) -> None:
    stub.Lend(Query())  # E: pyright


async def in_async_code(stub: CatalogueStub) -> None:
    await stub.Find(Query())  # E
    async for book in stub.List(Query()):  # E
        print(book)  # E: pyright
    async with CatalogueStub() as never:  # E
        print(never)  # E: pyright
