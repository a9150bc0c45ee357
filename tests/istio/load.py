"""Calls, one after the other on several threads, until told to stop."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from localmesh import wait_until

_THREADS = 4


class Load:
    """Calls `hello` all the time.

    Attributes:
        answered: How many calls each pod has answered, by what it answers with.
        lost: How many calls have failed, by status and details.
    """

    def __init__(self, stub: Any) -> None:
        self.answered: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self._stub = stub
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(_THREADS)

    def __enter__(self) -> Self:
        for _ in range(_THREADS):
            self._pool.submit(self._repeat)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._pool.shutdown()

    def wait_answered_by(self, pod: str, calls: int = 20) -> None:
        """Waits until a pod has answered so many more calls."""
        before = self.answered[pod]
        wait_until(
            lambda: self.answered[pod] >= before + calls, what=f"{pod} answers {calls} calls", timeout=30
        )

    def _repeat(self) -> None:
        while not self._over.wait(0.002):
            try:
                self.answered[self._stub.hello(StringValue(), timeout=20).value] += 1
            except grpc.RpcError as error:
                self.lost[f"{error.code().name}: {error.details()}"] += 1
