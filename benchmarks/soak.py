"""A million unary calls: does the process grow?"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc

from benchmarks.calls import MESSAGE, SIX_HEADERS, EchoStub, provider

CALLS = 1_000_000
WARM_UP = 50_000
CALLERS = 4
ALLOWED_GROWTH = 2.0  # MiB


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


def measure(calls: int = CALLS) -> tuple[State, State]:
    """What the process held after warming up, and what at the end."""
    with (
        provider("sync") as (address, _),
        grpc.insecure_channel(address) as channel,
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        stub = EchoStub(channel, envoy=SIX_HEADERS)

        def call(times: int) -> None:
            for _ in range(times):
                stub.call(MESSAGE)

        list(callers.map(call, [WARM_UP // CALLERS] * CALLERS))
        before = State.now()
        list(callers.map(call, [calls // CALLERS] * CALLERS))
        return before, State.now()


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    before, after = measure(count)
    growth = after.memory - before.memory
    print(f"{count:,} calls: {before} -> {after}, {growth:+.2f} MiB")
    steady = (after.threads, after.descriptors) == (before.threads, before.descriptors)
    sys.exit(0 if steady and growth <= ALLOWED_GROWTH else 1)
