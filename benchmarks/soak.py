"""A million unary calls, sync and aio: does the process grow?"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio

from benchmarks.calls import MESSAGE, SIX_HEADERS, EchoAsyncStub, EchoStub, provider
from benchmarks.measuring import Row, row

CALLS = 1_000_000
WARM_UP = 50_000
CALLERS = {"sync": 4, "aio": 64}


@dataclass(frozen=True)
class State:
    """What this process holds: MiB resident, threads, open descriptors."""

    memory: float
    threads: int
    descriptors: int

    @classmethod
    def now(cls) -> State:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            threading.active_count(),
            sum(1 for _ in Path("/proc/self/fd").iterdir()),
        )


def sync_calls(address: str, calls: int) -> tuple[State, State]:
    """What the process held after warming up, and what at the end."""
    callers = CALLERS["sync"]
    with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(callers) as threads:
        stub = EchoStub(channel, envoy=SIX_HEADERS)

        def call(times: int) -> None:
            for _ in range(times):
                stub.call(MESSAGE)

        list(threads.map(call, [WARM_UP // callers] * callers))
        before = State.now()
        list(threads.map(call, [calls // callers] * callers))
        return before, State.now()


async def aio_calls(address: str, calls: int) -> tuple[State, State]:
    """The twin."""
    callers = CALLERS["aio"]
    async with grpc.aio.insecure_channel(address) as channel:
        stub = EchoAsyncStub(channel, envoy=SIX_HEADERS)

        async def call(times: int) -> None:
            for _ in range(times):
                await stub.call(MESSAGE)

        await asyncio.gather(*[call(WARM_UP // callers) for _ in range(callers)])
        before = State.now()
        await asyncio.gather(*[call(calls // callers) for _ in range(callers)])
        return before, State.now()


def measure(calls: int = CALLS) -> Iterator[Row]:
    with provider("sync") as (address, _):
        for kind, states in (
            ("sync", sync_calls(address, calls)),
            ("aio", asyncio.run(aio_calls(address, calls))),
        ):
            before, after = states
            what = f"{calls:,} {kind} calls by {CALLERS[kind]} callers"
            yield row(f"{what}: resident memory", [(before.memory, after.memory)], 1, "MiB", most_added=2)
            yield row(f"{what}: threads", [(before.threads, after.threads)], 1, "", most_added=0)
            yield row(
                f"{what}: open descriptors", [(before.descriptors, after.descriptors)], 1, "", most_added=0
            )


if __name__ == "__main__":
    rows = list(measure(*map(int, sys.argv[1:2])))
    for each in rows:
        print(each.markdown())
    sys.exit(any(each.is_over for each in rows))
