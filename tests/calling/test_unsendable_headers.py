"""gRPC receives header values that it refuses to send: the handler's own calls must not fail by them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from unittest import mock

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.calling.chain import KINDS, SHAPES, on_threads
from tests.calling.echo import EchoAsyncStub, EchoStub
from tests.calling.mesh import Plain, Provider, Seen
from tests.calling.raw_request import ask

EVERY_BYTE = tuple(b"a%cz" % byte for byte in range(256))


@pytest.fixture(scope="module")
def back() -> Iterator[str]:
    with on_threads(Provider(), workers=16) as address:
        yield address


def test_what_grpc_sends_is_printable_ascii(back: str) -> None:
    # The rule that the runtime goes by, shown by grpcio itself.
    sent = set[str]()
    with grpc.insecure_channel(back) as channel:
        call = Plain(channel).unary
        for value in (each.decode("latin-1") for each in EVERY_BYTE):
            try:
                assert Seen.of(call(StringValue(), metadata=(("x-a", value),), timeout=10))["x-a"] == value
            except (grpc.RpcError, ValueError):
                continue
            sent.add(value)
    assert sent == {f"a{chr(byte)}z" for byte in range(0x20, 0x7F)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [EVERY_BYTE[:128], EVERY_BYTE[128:]], ids=["0-127", "128-255"])
def test_every_byte_that_can_travel_does_and_no_other_fails_the_call(
    kind: str, values: tuple[bytes, ...], back: str
) -> None:
    headers = tuple((f"x-{value[1]}".encode(), value) for value in values)
    carry = ",".join(name.decode() for name, _ in headers)

    def work() -> StringValue:
        with EchoStub(target=back) as stub:
            return stub.unary(StringValue(), timeout=10)

    async def async_work() -> StringValue:
        async with EchoAsyncStub(target=back) as stub:
            return await stub.unary(StringValue(), timeout=10)

    with mock.patch.dict(os.environ, {"DUBBO_MESH_CARRY": carry}), KINDS[kind](work, async_work) as address:
        (response,) = ask(address, "unary", headers)
    seen = Seen.of(response)
    travelled = {value for name, _ in headers for value in seen.all(name.decode())}
    assert travelled == {value.decode() for value in values if 0x20 <= value[1] < 0x7F}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["traceparent", "tracestate", "x-request-id"])
@pytest.mark.parametrize(
    "value",
    [
        b"a\tb",
        b"caf\xe9",
        "café".encode(),
        b"\0",
        b"a\r\nx-evil: 1",
        # gRPC sends these, but HTTP/2 does not allow them: nghttp2, and so some Envoys, reset the stream.
        b" a",
        b"a ",
        b" ",
    ],
)
def test_a_tracing_header_that_cannot_travel_is_left_out(
    kind: str, shape: str, name: str, value: bytes, back: str, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> StringValue:
        with EchoStub(target=back) as stub:
            next(iter(stub.serverStream(StringValue(), timeout=10)))
            stub.unary.future(StringValue(), timeout=10).result()
            return stub.unary(StringValue(), timeout=10)

    async def async_work() -> StringValue:
        async with EchoAsyncStub(target=back) as stub:
            await anext(aiter(stub.serverStream(StringValue(), timeout=10)))
            return await stub.unary(StringValue(), timeout=10)

    with caplog.at_level(logging.DEBUG, "dubbo_mesh"), KINDS[kind](work, async_work) as address:
        responses = ask(address, shape, ((name.encode(), value), (b"b3", b"1")))
    assert responses
    for response in responses:
        assert name not in Seen.of(response)
        assert Seen.of(response)["b3"] == "1"
    (noted,) = (each for each in caplog.records if each.name == "dubbo_mesh._context.request")
    assert noted.levelno == logging.DEBUG
    assert name in noted.getMessage()
    assert noted.getMessage().isprintable()


@pytest.mark.parametrize("kind", KINDS)
def test_large_headers_leave_room_for_the_calls_own(kind: str, back: str) -> None:
    # What passes the front's limit (8 KiB, from which on gRPC refuses at random) must pass the back's.
    large = ((b"baggage", b"k=" + b"v" * 4000), (b"tracestate", b"k=" + b"v" * 3000))
    own = (("x-own", "x" * 1000),)

    def work() -> StringValue:
        with EchoStub(target=back) as stub:
            return stub.unary(StringValue(), timeout=10, metadata=own)

    async def async_work() -> StringValue:
        async with EchoAsyncStub(target=back) as stub:
            return await stub.unary(StringValue(), timeout=10, metadata=own)

    with KINDS[kind](work, async_work) as address:
        for _ in range(50):
            (response,) = ask(address, "unary", (*large, (b"traceparent", b"1"), (b"b3", b"1")))
            seen = Seen.of(response)
            assert "baggage" not in seen
            assert seen["tracestate"] == large[1][1].decode()
            assert (seen["traceparent"], seen["b3"]) == ("1", "1")
            assert seen["x-own"] == own[0][1]
