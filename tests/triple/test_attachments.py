"""Attachments as Dubbo sends them: both ways, and with whatever a hostile peer puts into them."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

import dubbo_mesh
from dubbo_mesh import attachments, read_attachments
from tests.calling.chain import on_aio, on_threads
from tests.calling.echo import EchoAsyncServicer, EchoAsyncStub, EchoServicer, EchoStub

SENT: Mapping[str, str | bytes] = {"userId": "42", "Blob": b"\0\xff", "plain": "text", "dubbo.tag": "gray"}
RECEIVED = {name: value for name, value in SENT.items() if name != "dubbo.tag"}
ANSWERED: Mapping[str, str | bytes] = {"serverNode": "n1", "Cookie-Jar": b"\1"}


class Provider(EchoServicer):
    """Tells what was attached, and attaches something to the response's head and end."""

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        asked = dubbo_mesh.current_request()
        assert asked is not None
        context.send_initial_metadata(attachments(ANSWERED))
        context.set_trailing_metadata(attachments(ANSWERED))
        return StringValue(value=repr((asked.dubbo_tag, dict(sorted(asked.attachments.items())))))


class AsyncProvider(EchoAsyncServicer):
    """The same, for asyncio."""

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        asked = dubbo_mesh.current_request()
        assert asked is not None
        await context.send_initial_metadata(attachments(ANSWERED))
        context.set_trailing_metadata(attachments(ANSWERED))
        return StringValue(value=repr((asked.dubbo_tag, dict(sorted(asked.attachments.items())))))


@pytest.fixture(params=["sync", "aio"])
def provider(request: pytest.FixtureRequest) -> Iterator[str]:
    with on_threads(Provider()) if request.param == "sync" else on_aio(AsyncProvider()) as address:
        yield address


def test_they_travel_both_ways(provider: str) -> None:
    with EchoStub(target=provider) as stub:
        response, call = stub.unary.with_call(StringValue(), metadata=attachments(SENT))
    assert response.value == repr(("gray", dict(sorted(RECEIVED.items()))))
    assert read_attachments(call.initial_metadata()) == ANSWERED
    assert read_attachments(call.trailing_metadata()) == ANSWERED


def test_they_travel_both_ways_with_asyncio(provider: str) -> None:
    async def ask() -> tuple[StringValue, Any, Any]:
        async with EchoAsyncStub(target=provider) as stub:
            call = stub.unary(StringValue(), metadata=attachments(SENT))
            return await call, await call.initial_metadata(), await call.trailing_metadata()

    response, initial, trailing = asyncio.run(ask())
    assert response.value == repr(("gray", dict(sorted(RECEIVED.items()))))
    assert read_attachments(initial) == ANSWERED
    assert read_attachments(trailing) == ANSWERED


def test_on_the_wire_they_are_as_dubbo_java_writes_them() -> None:
    *headers, (name, converted) = attachments(SENT)
    assert headers == [("userid", "42"), ("blob-bin", b"\0\xff"), ("plain", "text"), ("dubbo.tag", "gray")]
    assert name == "tri-header-convert"
    assert isinstance(converted, str)
    assert converted.isascii()
    assert json.loads(urllib.parse.unquote(converted)) == {"userid": "userId", "blob": "Blob"}


@pytest.mark.parametrize(
    "values",
    [
        {"two words": "x"},
        {"": "x"},
        {"naïve": "x"},
        {"key-bin": "x"},
        {"Key-Bin": b"x"},
        {"a": ""},
        {"a": "x\r\ny: z"},
        {"a": "ü"},
        {"a": " x"},
        {"authorization": "x"},
        {"Authorization": "x"},
        {"x-envoy-max-retries": "3"},
        {"grpc-timeout": "1S"},
        {"tri-service-group": "g"},
        {"traceparent": "x"},
        {":path": "/"},
        {"te": "x"},
        {"Key": "x", "key": "y"},
    ],
    ids=str,
)
def test_what_cannot_be_an_attachment_is_refused(values: dict[str, str | bytes]) -> None:
    with pytest.raises(ValueError, match="attachment"):
        attachments(values)


def convert(names: object) -> tuple[str, str]:
    return ("tri-header-convert", urllib.parse.quote(json.dumps(names)))


@pytest.mark.parametrize(
    "converted",
    [
        ("tri-header-convert", "%"),
        ("tri-header-convert", "{"),
        ("tri-header-convert", "%FF%FE"),
        ("tri-header-convert", b"{}"),
        ("tri-header-convert", "[" * 100_000),
        ("tri-header-convert", "9" * 100_000),
        ("tri-header-convert", "NaN"),
        convert(["key"]),
        convert("key"),
        convert({"key": 1}),
        convert({"key": None}),
        convert({"key": {"key": "Key"}}),
        convert({"key": "other"}),  # which would pass for an attachment that it is not
        convert({"key": "authorization"}),
        convert({"KEY": "key"}),
    ],
    ids=lambda converted: str(converted[1])[:20],
)
def test_names_that_make_no_sense_change_nothing(converted: tuple[str, str | bytes]) -> None:
    metadata = (("key", "value"), ("other", "another"), converted)
    assert read_attachments(metadata) == {"key": "value", "other": "another"}


@given(
    st.lists(st.tuples(st.text() | st.sampled_from(["key", "tri-header-convert"]), st.text() | st.binary()))
)
def test_any_metadata_can_be_read(metadata: list[tuple[str, str | bytes]]) -> None:
    found = read_attachments(metadata)
    assert not [name for name in found if name.lower().startswith(("grpc-", "x-envoy-", "tri-"))]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_can_stand_where_names_should(names: object) -> None:
    found = read_attachments((("key", "value"), convert(names)))
    assert {name.lower() for name in found} == {"key"}


NAMES = (
    st.from_regex(r"[a-zA-Z][0-9A-Za-z_.-]{0,20}", fullmatch=True)
    .map(lambda name: f"a{name}")
    .filter(
        lambda name: (
            not name.lower().endswith("-bin") and not name.lower().startswith(("accept-", "authorization"))
        )
    )
)
TEXTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)


@given(st.dictionaries(NAMES, TEXTS | st.binary()))
def test_what_is_written_is_read(values: dict[str, str | bytes]) -> None:
    once = {name.lower(): (name, value) for name, value in values.items()}
    sent = dict(once.values())
    assert read_attachments(attachments(sent)) == sent
