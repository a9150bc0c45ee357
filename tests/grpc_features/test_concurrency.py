"""Threads, event loops, forks: what a stub may be shared between, and what it may not."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh.aio
from dubbo_mesh import EnvoyHeaders
from tests.addressing.conftest import Mesh
from tests.calling.echo import EchoAsyncStub, EchoStub

THREADS, CALLS = 16, 25


@pytest.mark.parametrize("connections", [1, 3])
def test_a_stub_serves_many_threads(egress: Mesh, connections: int) -> None:
    numbers = count()
    together = threading.Barrier(THREADS)

    def work(stub: EchoStub) -> None:
        together.wait()
        for _ in range(CALLS):
            number = next(numbers)
            request = StringValue(value=str(number))
            # More different wishes than a stub keeps.
            envoy = EnvoyHeaders(upstream_alt_stat_name=f"alt-{number % 100}")
            assert stub.unary(request, timeout=20, envoy=envoy).value == "provider"

    with EchoStub(connections=connections) as stub, ThreadPoolExecutor(THREADS) as pool:
        for working in [pool.submit(work, stub) for _ in range(THREADS)]:
            working.result()
    assert len(egress.provider.ran) == THREADS * CALLS
    assert set(egress.provider.ran.values()) == {1}
    assert egress.connections() == connections


def test_an_async_stub_serves_many_tasks(egress: Mesh) -> None:
    async def run() -> None:
        async with EchoAsyncStub() as stub:
            requests = [StringValue(value=str(number)) for number in range(THREADS * CALLS)]
            await asyncio.gather(*(stub.unary(request, timeout=20) for request in requests))

    asyncio.run(run())
    assert len(egress.provider.ran) == THREADS * CALLS
    assert egress.connections() == 1


def test_an_async_stub_must_be_made_in_a_running_loop(egress: Mesh) -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        EchoAsyncStub()
    with pytest.raises(RuntimeError, match="no running event loop"):
        dubbo_mesh.aio.channel("127.0.0.1:1")


def test_each_loop_has_its_own_stub(egress: Mesh) -> None:
    async def call() -> str:
        async with EchoAsyncStub() as stub:
            return (await stub.unary(StringValue(), timeout=5)).value

    # One after another, and at the same time in other threads.
    assert [asyncio.run(call()) for _ in range(2)] == ["provider"] * 2
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(asyncio.run, call()) for _ in range(2)]
        assert [each.result() for each in running] == ["provider"] * 2


@pytest.mark.filterwarnings("ignore:coroutine 'UnaryUnaryCall._invoke' was never awaited")
def test_an_async_stub_does_not_work_in_another_loop(egress: Mesh) -> None:
    async def make() -> EchoAsyncStub:
        return EchoAsyncStub()

    stub = asyncio.run(make())

    async def use() -> None:
        await stub.unary(StringValue(), timeout=5)

    with pytest.raises(RuntimeError, match="loop"):
        asyncio.run(use())
    gc.collect()  # the call that grpc never made


def test_sync_and_async_stubs_live_in_one_process(egress: Mesh) -> None:
    async def run() -> None:
        with EchoStub() as sync:
            async with EchoAsyncStub() as stub:
                sync_call = asyncio.to_thread(sync.unary, StringValue(), timeout=5)
                async_call = stub.unary(StringValue(), timeout=5)
                assert (await sync_call).value == "provider"
                assert (await async_call).value == "provider"

    asyncio.run(run())


FORKING = """
import os, sys
from google.protobuf.wrappers_pb2 import StringValue
from tests.calling.echo import EchoStub

def call(stub):
    return stub.unary(StringValue(), timeout=10, wait_for_ready=True).value

def call_in_child():
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        with EchoStub() as stub:
            print("child", call(stub), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

if sys.argv[1] == "at the start":
    call_in_child()
    print("parent", call(EchoStub()))
else:
    stub = EchoStub()
    print("parent", call(stub))
    call_in_child()
    print("parent", call(stub))
"""


@pytest.mark.parametrize("fallback", [False, True])
@pytest.mark.parametrize("when", ["at the start", "after calls"])
def test_a_stub_made_in_the_child_works_after_a_fork(
    egress: Mesh,
    when: str,
    fallback: bool,
    run_python: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if when == "after calls":
        monkeypatch.setenv("GRPC_ENABLE_FORK_SUPPORT", "1")
    if fallback:
        monkeypatch.setenv("DUBBO_MESH_FALLBACK", "direct")
        monkeypatch.setenv("DUBBO_MESH_DIRECT", f"echo={egress.provider.address}")
    in_parent = ["parent provider"] * (1 if when == "at the start" else 2)
    assert sorted(run_python(FORKING, when).splitlines()) == ["child provider", *in_parent]


UNCLOSED = """
from google.protobuf.wrappers_pb2 import StringValue
from tests.calling.echo import EchoStub
stub = EchoStub()
print(stub.unary(StringValue(), timeout=10).value)
"""


@pytest.mark.parametrize(
    "more", [{}, {"DUBBO_MESH_FALLBACK": "direct", "DUBBO_MESH_DIRECT": "echo=127.0.0.1:1"}]
)
def test_a_process_ends_though_a_stub_was_never_closed(
    egress: Mesh, more: dict[str, Any], run_python: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    assert run_python(UNCLOSED) == "provider\n"
