"""Attachments as Dubbo sends them: both ways, and with whatever a hostile peer puts into them."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

import dubbo_mesh
from dubbo_mesh import attachments, read_attachments
from tests import sidecars
from tests.calling import raw_request
from tests.calling.chain import Metadata, on_aio, on_threads
from tests.calling.echo import EchoAsyncServicer, EchoAsyncStub, EchoServicer, EchoStub
from tests.triple import java

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


HOP_BY_HOP = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "trailer")
DUBBOS = (
    *("path", "group", "interface", "version", "application", "remote.application", "serialization"),
    *("timeout", "retries", "async", "dubbo"),
)
NO_ATTACHMENTS: Metadata = (
    *((name, "x") for name in (*HOP_BY_HOP, *DUBBOS)),
    *((f"{name}-bin", b"x") for name in DUBBOS),
    *(("token", "secret"), ("dubbo.tag", "gray"), ("dubbo.force.tag", "true")),
    *(
        ("server", "envoy"),
        ("date", "Thu"),
        ("x-envoy-upstream-service-time", "1"),
        ("x-forwarded-proto", "http"),
    ),
    *(("traceparent", "x"), ("baggage", "x"), ("grpc-trace-bin", b"x"), ("tri-consumer-appname", "x")),
)


@pytest.mark.parametrize(
    "values",
    [
        {"two words": "x"},
        {"": "x"},
        {"naïve": "x"},
        {"key-bin": "x"},
        {"Key-Bin": b"x"},
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
        {"key": ["x", "ü"]},
        *({name: "x"} for name in (*HOP_BY_HOP, *DUBBOS, "baggage", "x-b3-flags", "x-datadog-tags")),
        *({name.title(): b"x"} for name in (*HOP_BY_HOP, *DUBBOS)),
    ],
    ids=str,
)
def test_what_cannot_be_an_attachment_is_refused(values: dict[str, str | bytes]) -> None:
    with pytest.raises(ValueError, match="attachment") as raised:
        attachments(values)
    assert repr(next(iter(values))) in str(raised.value)


@pytest.mark.parametrize(
    "value", [42, 1.5, True, None, bytearray(b"x"), {"a": "b"}, {"a"}, ["a", 1], [["a"]]]
)
def test_a_value_of_another_type_is_a_type_error_that_names_the_attachment(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^attachment 'userId': "):
        attachments({"userId": value})


def test_tags_and_tokens_can_be_sent_and_are_not_reported() -> None:
    # Dubbo's tag routers and token filters look for them among a request's attachments.
    sent = attachments({"dubbo.tag": "gray", "dubbo.force.tag": "true", "token": "secret"})
    assert dict(sent) == {"dubbo.tag": "gray", "dubbo.force.tag": "true", "token": "secret"}
    assert read_attachments(sent) == {}


def test_what_belongs_to_others_is_not_reported() -> None:
    assert read_attachments((*NO_ATTACHMENTS, ("key", "value"))) == {"key": "value"}


def test_a_list_is_sent_under_one_name_and_read_whole() -> None:
    sent = attachments({"Key": ["a", "b", "a"], "blobs": (b"1", b"2"), "none": []})
    assert sent[:-1] == (("key", "a"), ("key", "b"), ("key", "a"), ("blobs-bin", b"1"), ("blobs-bin", b"2"))
    read = read_attachments(sent)
    assert read == {"Key": "a", "blobs": b"2"}  # the last of each, as Dubbo Java has it
    assert read.get_all("Key") == ("a", "b", "a")
    assert read.get_all("blobs") == (b"1", b"2")
    assert read.get_all("none") == ()
    assert attachments(read) == sent


class Relay(EchoServicer):
    """Passes on what was attached."""

    def __init__(self, back: str) -> None:
        self._back = back

    def unary(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        asked = dubbo_mesh.current_request()
        assert asked is not None
        with EchoStub(target=self._back) as stub:
            return stub.unary(StringValue(), metadata=attachments(asked.attachments), timeout=10)


class AsyncRelay(EchoAsyncServicer):
    """The same, for asyncio."""

    def __init__(self, back: str) -> None:
        self._back = back

    async def unary(self, request: StringValue, context: dubbo_mesh.aio.ServicerContext) -> StringValue:
        asked = dubbo_mesh.current_request()
        assert asked is not None
        async with EchoAsyncStub(target=self._back) as stub:
            return await stub.unary(StringValue(), metadata=attachments(asked.attachments), timeout=10)


OF_DUBBO_GO = (
    ("interface", "test.Echo"),
    ("timeout", ""),
    ("retries", ""),
    ("token", "secret"),
    ("userid", "42"),
    ("empty", ""),
    ("list", "a"),
    ("list", "b"),
    ("name", "Zoë"),
    ("tab", "a\tb"),
    ("tri-header-convert", "%7B%22userid%22%3A%22userId%22%7D"),
)


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_what_any_dubbo_go_caller_attaches_can_be_passed_on(kind: str) -> None:
    with (
        on_threads(Provider()) as back,
        on_threads(Relay(back)) if kind == "sync" else on_aio(AsyncRelay(back)) as relay,
    ):
        response = java.ask(relay, "/test.Echo/unary", b"", *OF_DUBBO_GO)
    assert response.trailers["grpc-status"] == "0"
    assert StringValue.FromString(response.body[5:]).value == repr(
        (None, {"empty": "", "list": "b", "userId": "42"})
    )


def test_what_any_dubbo_go_caller_attaches_is_read(provider: str) -> None:
    response = java.ask(provider, "/test.Echo/unary", b"", *OF_DUBBO_GO)
    tag, read = ast.literal_eval(StringValue.FromString(response.body[5:]).value)
    assert tag is None
    assert read == {"userId": "42", "empty": "", "list": "b", "name": "Zoë", "tab": "a\tb"}


@pytest.mark.parametrize("value", ["Zoë".encode(), "Zoë".encode("latin-1")], ids=["dubbo-go", "Dubbo Java"])
def test_text_that_is_not_ascii_is_decoded(value: bytes, provider: str) -> None:
    (response,) = raw_request.ask(provider, "unary", ((b"name", value),))
    assert response.value == repr((None, {"name": "Zoë"}))


def test_what_a_peers_library_attaches_is_left_out_and_what_the_application_does_is_refused() -> None:
    received = read_attachments((("name", "Zoë"), ("key", "value"), ("x!y", "z")))
    assert attachments(received) == (("key", "value"),)
    with pytest.raises(ValueError, match="attachment 'name'"):
        attachments(dict(received))


def test_nothing_of_envoys_is_an_attachment(tmp_path: Path, provider: str) -> None:
    service = sidecars.MeshService("echo", 50051, [provider], health_check=None)
    with sidecars.Sidecar("sidecar", egress=[service], directory=tmp_path) as sidecar:
        with mock.patch.dict(os.environ, {"DUBBO_MESH_EGRESS": sidecar.egress, "DUBBO_MESH_APP": "shop"}):
            stub = EchoStub(target=dubbo_mesh.Target("echo", "default", 50051))
        with stub:
            response, call = stub.unary.with_call(StringValue(), metadata=attachments(SENT), timeout=10)
    assert response.value == repr(("gray", dict(sorted(RECEIVED.items()))))
    assert read_attachments(call.initial_metadata()) == ANSWERED
    assert read_attachments(call.trailing_metadata()) == ANSWERED


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
        convert({"key": "\N{KELVIN SIGN}ey"}),  # whose lower case is k
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
            not name.lower().endswith("-bin")
            and not name.lower().startswith(("accept-", "authorization", "async", "application"))
        )
    )
)
TEXTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)


@given(st.dictionaries(NAMES, TEXTS | st.binary()))
def test_what_is_written_is_read(values: dict[str, str | bytes]) -> None:
    once = {name.lower(): (name, value) for name, value in values.items()}
    sent = dict(once.values())
    assert read_attachments(attachments(sent)) == sent
