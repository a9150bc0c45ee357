"""Every way there is to make a call, and what each tells of the call's end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import MappingProxyType
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

from tests.calling.echo import EchoAsyncStub, EchoStub

Ending: TypeAlias = tuple[grpc.StatusCode, str | None]
Arguments: TypeAlias = dict[str, Any]
SyncWay: TypeAlias = Callable[[EchoStub, str, Arguments], Ending]
AsyncWay: TypeAlias = Callable[[EchoAsyncStub, str, Arguments], Awaitable[Ending]]

_OK: Ending = (grpc.StatusCode.OK, "")


def ending_of(error: Any) -> Ending:
    """What an error tells of the call's end."""
    assert isinstance(error, grpc.RpcError)
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError)
    assert error.code().name in str(error)
    return error.code(), error.details()


def _raised(call: Callable[[], object]) -> Ending:
    try:
        call()
    except grpc.RpcError as error:
        return ending_of(error)
    return _OK


def _once(text: str) -> Iterator[StringValue]:
    yield StringValue(value=text)


def _called_back(call: Any) -> Ending:
    done = threading.Event()
    seen: list[Ending] = []

    def note(ended: Any) -> None:
        seen.append((ended.code(), ended.details()))
        done.set()

    call.add_done_callback(note)
    assert done.wait(10)
    return seen[0]


def _unary(stub: EchoStub, text: str, arguments: Arguments) -> Any:
    return stub.unary.future(StringValue(value=text), **arguments)


def _stream(stub: EchoStub, text: str, arguments: Arguments) -> Any:
    return stub.serverStream(StringValue(value=text), **arguments)


UNARY = MappingProxyType[str, SyncWay](
    {
        "call": lambda stub, text, args: _raised(lambda: stub.unary(StringValue(value=text), **args)),
        "with_call": lambda stub, text, args: _raised(
            lambda: stub.unary.with_call(StringValue(value=text), **args)
        ),
        "future.result": lambda stub, text, args: _raised(_unary(stub, text, args).result),
        "future.exception": lambda stub, text, args: ending_of(_unary(stub, text, args).exception()),
        "future.code": lambda stub, text, args: (
            (call := _unary(stub, text, args)).code(),
            call.details(),
        ),
        "future.callback": lambda stub, text, args: _called_back(_unary(stub, text, args)),
        "client stream call": lambda stub, text, args: _raised(
            lambda: stub.clientStream(_once(text), **args)
        ),
        "client stream with_call": lambda stub, text, args: _raised(
            lambda: stub.clientStream.with_call(_once(text), **args)
        ),
        "client stream future": lambda stub, text, args: _raised(
            stub.clientStream.future(_once(text), **args).result
        ),
    }
)
"""Ways to call an rpc with one response."""

STREAMS = MappingProxyType[str, SyncWay](
    {
        "iterator": lambda stub, text, args: _raised(lambda: list(_stream(stub, text, args))),
        "iterator.code": lambda stub, text, args: (
            (call := _stream(stub, text, args)).code(),
            call.details(),
        ),
        "iterator.exception": lambda stub, text, args: ending_of(_stream(stub, text, args).exception()),
        "iterator.callback": lambda stub, text, args: _called_back(_stream(stub, text, args)),
        "bidi iterator": lambda stub, text, args: _raised(lambda: list(stub.bidi(_once(text), **args))),
    }
)
"""Ways to call an rpc with a stream of responses."""


async def _raised_aio(awaitable: Awaitable[object]) -> Ending:
    try:
        await awaitable
    except grpc.RpcError as error:
        return ending_of(error)
    return _OK


async def _all(responses: Any) -> list[Any]:
    return [each async for each in responses]


async def _read_all(call: Any) -> None:
    end_of_stream: Any = vars(grpc.aio)["EOF"]  # types-grpcio lacks it
    while await call.read() is not end_of_stream:
        pass


async def _called_back_aio(call: Any) -> Ending:
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    call.add_done_callback(done.set_result)
    ended = await done
    return await ended.code(), await ended.details()


async def _once_aio(text: str) -> AsyncIterator[StringValue]:
    yield StringValue(value=text)


async def _await(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    return await _raised_aio(stub.unary(StringValue(value=text), **arguments))


async def _code(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    call = stub.unary(StringValue(value=text), **arguments)
    return await call.code(), await call.details()


async def _wait_for(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    return await _raised_aio(asyncio.wait_for(stub.unary(StringValue(value=text), **arguments), 10))


async def _wait_for_connection(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    return await _raised_aio(stub.unary(StringValue(value=text), **arguments).wait_for_connection())


async def _callback(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    call = stub.unary(StringValue(value=text), **arguments)
    return await _called_back_aio(call)


async def _client_stream(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    return await _raised_aio(stub.clientStream(_once_aio(text), **arguments))


async def _client_stream_write(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    call = stub.clientStream(**arguments)
    await call.write(StringValue(value=text))
    await call.done_writing()
    return await _raised_aio(call)


async def _async_for(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    return await _raised_aio(_all(stub.serverStream(StringValue(value=text), **arguments)))


async def _read(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    return await _raised_aio(_read_all(stub.serverStream(StringValue(value=text), **arguments)))


async def _stream_code(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    call = stub.serverStream(StringValue(value=text), **arguments)
    ending = await call.code(), await call.details()
    await _raised_aio(_all(call))
    return ending


async def _bidi(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    return await _raised_aio(_all(stub.bidi(_once_aio(text), **arguments)))


async def _bidi_read(stub: EchoAsyncStub, text: str, arguments: Arguments) -> Ending:
    call = stub.bidi(**arguments)
    await call.write(StringValue(value=text))
    return await _raised_aio(_read_all(call))


UNARY_AIO = MappingProxyType[str, AsyncWay](
    {
        "await": _await,
        "await code": _code,
        "wait_for": _wait_for,
        "callback": _callback,
        "client stream await": _client_stream,
        "client stream write": _client_stream_write,
        "wait_for_connection": _wait_for_connection,
    }
)
STREAMS_AIO = MappingProxyType[str, AsyncWay](
    {
        "async for": _async_for,
        "read": _read,
        "async for code": _stream_code,
        "bidi async for": _bidi,
        "bidi read": _bidi_read,
    }
)
