"""Sync calls, in all the ways of grpc's."""

from collections.abc import Iterator
from datetime import timedelta
from typing import assert_type

import grpc
from library.catalogue_mesh import CatalogueStub
from library.catalogue_pb2 import Book, Query, Receipt

import dubbo_mesh
from dubbo_mesh import EnvoyHeaders


def unary(stub: CatalogueStub) -> None:
    assert_type(stub.Find(Query(title="Emma")), Book)
    assert_type(stub.Find(Query(), 3.0), Book)
    assert_type(stub.import_(Book()), Receipt)

    book, call = stub.Find.with_call(Query(), timeout=1)
    assert_type(book, Book)
    assert_type(call, grpc.Call)
    assert_type(call.code(), grpc.StatusCode)

    future = stub.Find.future(Query(), wait_for_ready=True)
    assert_type(future.result(timeout=1), Book)
    assert_type(future.cancel(), bool)


def streams(stub: CatalogueStub, books: Iterator[Book]) -> None:
    for book in stub.List(Query()):
        assert_type(book, Book)
    listed = stub.List(Query(), timeout=1)
    assert_type(next(listed), Book)
    listed.cancel()

    assert_type(stub.Donate(books), Receipt)
    assert_type(stub.Donate(iter([Book()])), Receipt)
    receipt, call = stub.Donate.with_call(books)
    assert_type(receipt, Receipt)
    assert_type(call, grpc.Call)
    assert_type(stub.Donate.future(books).result(), Receipt)

    for book in stub.Recommend(books):
        assert_type(book, Book)


def arguments(stub: CatalogueStub) -> None:
    stub.Find(
        Query(),
        timeout=3,
        metadata=(("key", "value"), ("key-bin", b"value")),
        credentials=grpc.access_token_call_credentials("token"),
        wait_for_ready=True,
        compression=grpc.Compression.Gzip,
        envoy=EnvoyHeaders(timeout=timedelta(seconds=3), max_retries=2, retry_on=("reset",)),
    )
    stub.Find(Query(), metadata=[("key", "value")])
    stub.List(Query(), envoy=EnvoyHeaders(stream_duration=30) | EnvoyHeaders(timeout=3.5))


def making() -> None:
    with CatalogueStub() as stub:
        assert_type(stub, CatalogueStub)
    with grpc.insecure_channel("localhost:50051") as channel:
        assert_type(CatalogueStub(channel), CatalogueStub)
        assert_type(CatalogueStub(channel=channel), CatalogueStub)
    CatalogueStub(target="localhost:50051")
    CatalogueStub(
        target=dubbo_mesh.Target("library", port=50051),
        credentials=grpc.ssl_channel_credentials(),
        options=[("grpc.max_send_message_length", 1)],
        envoy=EnvoyHeaders(timeout=1),
    )
    shared = dubbo_mesh.channel(dubbo_mesh.Target("library"))
    assert_type(CatalogueStub(shared), CatalogueStub)


def as_grpc_types(stub: CatalogueStub) -> grpc.UnaryUnaryMultiCallable[Query, Book]:
    return stub.Find


def the_service() -> dict[str, str]:
    service = CatalogueStub.__mesh__
    assert_type(service, dubbo_mesh.Service)
    assert_type(service.app, str | None)
    return {name: method.path for name, method in service.methods.items()}
