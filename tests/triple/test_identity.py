"""Who calls whom: `tri-` headers, sent only where something is configured."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from unittest import mock

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
from tests.calling.chain import on_threads
from tests.calling.echo import ECHO, EchoAsyncStub, EchoStub
from tests.calling.mesh import Provider, Seen

HEADERS = ("tri-consumer-appname", "tri-service-version", "tri-service-group")


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with on_threads(Provider()) as address:
        yield address


def service(*, version: str | None = None, group: str | None = None) -> dubbo_mesh.Service:
    return ECHO.with_identity(version=version, group=group)


def test_another_version_is_the_same_service_otherwise() -> None:
    other = ECHO.with_identity(version="2.0", group="blue").with_identity(version="3.0")
    assert other.key == f"{ECHO.name}:3.0"
    assert (other.name, other.app, other.namespace, other.port) == (
        ECHO.name,
        ECHO.app,
        ECHO.namespace,
        ECHO.port,
    )
    assert (other.methods, other.descriptor) == (ECHO.methods, ECHO.descriptor)


def seen_of(
    provider: str,
    kind: str,
    mesh: dubbo_mesh.Service,
    metadata: tuple[tuple[str, str], ...] | None = None,
    **environment: str,
) -> Seen:
    class Stub(EchoStub):
        __mesh__ = mesh

    class AsyncStub(EchoAsyncStub):
        __mesh__ = mesh

    async def ask() -> StringValue:
        async with AsyncStub(target=provider) as stub:
            return await stub.unary(StringValue(), metadata=metadata)

    with mock.patch.dict(os.environ, environment):
        if kind == "aio":
            return Seen.of(asyncio.run(ask()))
        with Stub(target=provider) as stub:
            return Seen.of(stub.unary(StringValue(), metadata=metadata))


@pytest.mark.parametrize("kind", ["sync", "aio"])
class TestHeaders:
    def test_none_where_nothing_is_configured(self, kind: str, provider: str) -> None:
        seen = seen_of(provider, kind, service())
        assert not [name for name in HEADERS if name in seen]

    def test_the_own_name_where_the_environment_has_it(self, kind: str, provider: str) -> None:
        seen = seen_of(provider, kind, service(), DUBBO_MESH_APP="shop")
        assert seen["tri-consumer-appname"] == "shop"

    def test_version_and_group_where_the_service_has_them(self, kind: str, provider: str) -> None:
        seen = seen_of(provider, kind, service(version="1.2", group="blue"))
        assert (seen["tri-service-version"], seen["tri-service-group"]) == ("1.2", "blue")

    def test_metadata_of_a_call_replaces_them(self, kind: str, provider: str) -> None:
        asked = (("tri-service-version", "2.0"), ("tri-service-group", ""))
        seen = seen_of(provider, kind, service(version="1.2", group="blue"), metadata=asked)
        assert (seen["tri-service-version"], seen["tri-service-group"]) == ("2.0", "")

    def test_one_without_the_other(self, kind: str, provider: str) -> None:
        seen = seen_of(provider, kind, service(version="1.2"))
        assert seen["tri-service-version"] == "1.2"
        assert "tri-service-group" not in seen
