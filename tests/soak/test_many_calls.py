# ruff: noqa: T201 - what was measured is for people to read
"""Very many calls at once: memory stays bounded, and health and probes still answer within a second."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

import localmesh
from tests.calling.echo import EchoAsyncStub, EchoStub
from tests.soak.servers import ServerProcess

pytestmark = pytest.mark.timeout(300)

STREAMS = 10_000
CONNECTIONS = 20
CALLS = 1_000
# grpc.aio's ended calls refer to themselves: Python's collector frees them every ten rounds or so, and each
# window has at least one round after that.
WINDOW = 14
MEGABYTE = 1 << 20


def test_ten_thousand_open_streams_on_asyncio(tmp_path: Path) -> None:
    async def open_all(server: ServerProcess) -> None:
        channels = [
            grpc.aio.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)])
            for _ in range(CONNECTIONS)
        ]
        stubs = [EchoAsyncStub(channel) for channel in channels]

        async def open_one(number: int) -> Any:
            call = stubs[number % CONNECTIONS].serverStream(StringValue(value="stream 2 600"))
            assert await call.read() is not grpc.aio.EOF
            return call

        began = time.monotonic()
        calls: list[Any] = []
        for start in range(0, STREAMS, 500):
            calls += await asyncio.gather(*map(open_one, range(start, start + 500)))
        opened = time.monotonic() - began
        memory = server.memory
        check, probe = await asyncio.to_thread(server.slowest_answers)
        print(f"\n{STREAMS} streams opened in {opened:.1f} s; server {memory / MEGABYTE:.0f} MB, ", end="")
        print(f"{(memory - idle) / STREAMS / 1024:.1f} kB a stream, {server.threads} threads; ", end="")
        print(f"slowest health check {check * 1000:.0f} ms, slowest probe {probe * 1000:.0f} ms")
        assert (memory - idle) / STREAMS < 64 * 1024
        assert check < 1
        assert probe < 1
        took = await asyncio.to_thread(server.leave)
        codes = Counter([await call.code() for call in calls])
        print(f"left in {took:.1f} s with a grace of 2 s; the streams ended {dict(codes)}")
        assert took < 2 + 5
        assert sum(codes.values()) == STREAMS
        for channel in channels:
            await channel.close()

    with ServerProcess("aio", tmp_path / "log", grace=2) as server:
        idle = server.memory
        asyncio.run(open_all(server))


def test_memory_comes_back_when_streams_end(tmp_path: Path) -> None:
    async def rounds(server: ServerProcess) -> list[int]:
        after: list[int] = []
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = EchoAsyncStub(channel)
            for _ in range(2 * WINDOW):
                calls = [stub.serverStream(StringValue(value="stream 2 600")) for _ in range(1000)]
                await asyncio.gather(*(call.read() for call in calls))
                for call in calls:
                    call.cancel()
                await stub.unary(StringValue(value="done"))
                after.append(server.memory)
        return after

    with ServerProcess("aio", tmp_path / "log") as server:
        after = asyncio.run(rounds(server))
    print(f"\nafter each 1000 streams, cancelled: {[size // MEGABYTE for size in after]} MB")
    # A kilobyte kept for each stream would be 14 MB.
    assert min(after[WINDOW:]) < min(after[:WINDOW]) + 8 * MEGABYTE


def test_a_thousand_waiting_calls_on_threads(tmp_path: Path) -> None:
    with (
        ServerProcess("sync", tmp_path / "log", grace=2) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        idle = server.memory
        stub = EchoStub(channel)
        calls: list[Any] = [
            stub.unary.future(StringValue(value="sleep 20"), timeout=60) for _ in range(CALLS)
        ]
        localmesh.wait_until(lambda: server.threads > 64, what="all of the server's threads are busy")
        check, probe = server.slowest_answers()
        memory = server.memory
        print(f"\n{CALLS} calls, most of them waiting: server {memory / MEGABYTE:.0f} MB, ", end="")
        print(f"{(memory - idle) / CALLS / 1024:.1f} kB a call, {server.threads} threads; ", end="")
        print(f"slowest health check {check * 1000:.0f} ms, slowest probe {probe * 1000:.0f} ms")
        assert not any(call.done() for call in calls)
        assert (memory - idle) / CALLS < 256 * 1024
        assert check < 1
        assert probe < 1
        took = server.leave()
        codes = Counter(call.code() for call in calls)
        print(f"left in {took:.1f} s with a grace of 2 s; the calls ended {dict(codes)}")
        assert took < 2 + 3
