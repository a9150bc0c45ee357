"""Imports generated modules and calls all of their rpcs: `python exercise.py DIRECTORY MODULE...`.

Each rpc is called through its stub, twice: on the bare servicer, which answers UNIMPLEMENTED, and on one that
answers; sync on a server with threads, async on one of `grpc.aio`. Prints the number of calls.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import grpc.aio

import dubbo_mesh
import dubbo_mesh.aio

REPLIES = 2


def exercise(module: ModuleType) -> int:
    """Calls every rpc of a module; returns how many calls that took."""
    calls = 0
    for service in [value for value in vars(module).values() if isinstance(value, dubbo_mesh.Service)]:
        ours = [value for value in vars(module).values() if getattr(value, "__mesh__", None) is service]
        register = getattr(module, f"add_{service.name.rpartition('.')[2]}Servicer_to_server")
        by_base = {base: kind for kind in ours for base in _BASES if issubclass(kind, base)}
        assert len(by_base) == len(ours) in {2, 4}, ours
        if dubbo_mesh.Servicer in by_base:
            servicer, stub = by_base[dubbo_mesh.Servicer], by_base[dubbo_mesh.SyncStub]
            calls += _call_sync(service, servicer(), stub, register, _expect_unimplemented)
            calls += _call_sync(service, _answering(servicer, service), stub, register, _expect_replies)
        if dubbo_mesh.aio.Servicer in by_base:
            servicer, stub = by_base[dubbo_mesh.aio.Servicer], by_base[dubbo_mesh.aio.Stub]
            calls += asyncio.run(_call_async(service, servicer(), stub, register, None))
            calls += asyncio.run(
                _call_async(service, _answering_async(servicer, service), stub, register, REPLIES)
            )
    return calls


_BASES: tuple[type[Any], ...] = (
    dubbo_mesh.SyncStub,
    dubbo_mesh.Servicer,
    dubbo_mesh.aio.Stub,
    dubbo_mesh.aio.Servicer,
)


def _call_sync(
    service: dubbo_mesh.Service,
    servicer: Any,
    stub_class: Any,
    register: Callable[[Any, grpc.Server], None],
    check: Callable[[dubbo_mesh.Method, Callable[[], Any]], None],
) -> int:
    server = grpc.server(ThreadPoolExecutor(2))
    register(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = stub_class(channel)
            for method in service.methods.values():
                call = getattr(stub, method.attribute)
                request = method.request_type()
                argument = iter([request, request]) if method.client_streaming else request
                check(method, partial(call, argument, wait_for_ready=True))
    finally:
        server.stop(None).wait()
    return len(service.methods)


def _expect_unimplemented(method: dubbo_mesh.Method, call: Callable[[], Any]) -> None:
    try:
        answer = call()
        if method.server_streaming:
            list(answer)
    except grpc.RpcError as error:
        _check_unimplemented(method, error)
    else:
        raise AssertionError(f"{method.path} was answered")


def _check_unimplemented(method: dubbo_mesh.Method, error: Any) -> None:
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED, error
    assert method.path in error.details(), error


def _expect_replies(method: dubbo_mesh.Method, call: Callable[[], Any]) -> None:
    answer = call()
    replies = list(answer) if method.server_streaming else [answer]
    _check_replies(method, replies)


def _check_replies(method: dubbo_mesh.Method, replies: list[Any]) -> None:
    assert len(replies) == (REPLIES if method.server_streaming else 1)
    assert all(type(reply) is method.response_type for reply in replies)


def _answering(base: Any, service: dubbo_mesh.Service) -> Any:
    def unary(method: dubbo_mesh.Method) -> Callable[..., Any]:
        def answer(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
            _check_requests(method, list(request) if method.client_streaming else [request])
            return method.response_type()

        return answer

    def stream(method: dubbo_mesh.Method) -> Callable[..., Any]:
        def answer(self: Any, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            _check_requests(method, list(request) if method.client_streaming else [request])
            for _ in range(REPLIES):
                yield method.response_type()

        return answer

    return _subclass(base, service, unary, stream)


def _answering_async(base: Any, service: dubbo_mesh.Service) -> Any:
    def unary(method: dubbo_mesh.Method) -> Callable[..., Any]:
        async def answer(self: Any, request: Any, context: dubbo_mesh.aio.ServicerContext) -> Any:
            _check_requests(method, [one async for one in request] if method.client_streaming else [request])
            return method.response_type()

        return answer

    def stream(method: dubbo_mesh.Method) -> Callable[..., Any]:
        async def answer(
            self: Any, request: Any, context: dubbo_mesh.aio.ServicerContext
        ) -> AsyncIterator[Any]:
            _check_requests(method, [one async for one in request] if method.client_streaming else [request])
            for _ in range(REPLIES):
                yield method.response_type()

        return answer

    return _subclass(base, service, unary, stream)


def _subclass(
    base: Any,
    service: dubbo_mesh.Service,
    unary: Callable[[dubbo_mesh.Method], Any],
    stream: Callable[[dubbo_mesh.Method], Any],
) -> Any:
    for method in service.methods.values():
        assert method.attribute in vars(base), f"{base.__name__} has no {method.attribute}"
    behaviors = {
        method.attribute: (stream if method.server_streaming else unary)(method)
        for method in service.methods.values()
    }
    return type("Answering", (base,), behaviors)()


def _check_requests(method: dubbo_mesh.Method, requests: list[Any]) -> None:
    assert len(requests) == (2 if method.client_streaming else 1)
    assert all(type(request) is method.request_type for request in requests)


async def _call_async(
    service: dubbo_mesh.Service,
    servicer: Any,
    stub_class: Any,
    register: Callable[[Any, grpc.aio.Server], None],
    replies: int | None,
) -> int:
    server = grpc.aio.server()
    register(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = stub_class(channel)
            for method in service.methods.values():
                request = method.request_type()
                # None where none is read: what grpc.aio's clients say of a failed write hides the status.
                requests = [] if replies is None else [request, request]
                argument = iter(requests) if method.client_streaming else request
                call = getattr(stub, method.attribute)(argument, wait_for_ready=True)
                try:
                    got = [reply async for reply in call] if method.server_streaming else [await call]
                except grpc.aio.AioRpcError as error:
                    if replies is not None:
                        raise
                    _check_unimplemented(method, error)
                else:
                    assert replies is not None, f"{method.path} was answered"
                    _check_replies(method, got)
    finally:
        await server.stop(None)
    return len(service.methods)


if __name__ == "__main__":
    warnings.simplefilter("error")
    # Deprecated services and rpcs are called too.
    warnings.filterwarnings("ignore", r"(service|rpc) .* is deprecated", DeprecationWarning)
    directory, *names = sys.argv[1:]
    sys.path.insert(0, directory)
    done = 0
    for name in names:
        imported = importlib.import_module(name)
        source = Path(str(imported.__file__))
        compile(source.read_bytes(), source, "exec", dont_inherit=True)
        done += exercise(imported)
    sys.stdout.write(f"{done}\n")
