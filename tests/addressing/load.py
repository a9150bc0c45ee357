"""Calls that go on while the mesh around them changes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import grpc
from google.protobuf.wrappers_pb2 import StringValue

import dubbo_mesh
import localmesh
from tests.calling.echo import EchoAsyncStub, EchoStub

Kind = Literal["sync", "async"]

_PAUSE = 0.005  # seconds between two calls of a worker, so that the machine is not all theirs
_WORKERS = 4


@dataclass(frozen=True)
class Outcome:
    """Of one call.

    Attributes:
        started: when, as of `time.time()`.
        request: the value sent, which no other call has.
        answer: who answered; None if nobody did.
        code: the status.
        details: the status's message.
    """

    started: float
    request: str
    answer: str | None
    code: grpc.StatusCode = grpc.StatusCode.OK
    details: str = ""


@dataclass
class Load:
    """Calls by one stub, from several threads or tasks, until it is stopped."""

    target: dubbo_mesh.Target
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    _numbers: count[int] = field(default_factory=count)
    _stop: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, *answers: str | None) -> None:
        """Waits until the calls of late had all these answers, and no other; None stands for a failure."""

        def of_late() -> set[str | None]:
            return {each.answer for each in self.outcomes[-20:]}

        seen = len(self.outcomes)
        localmesh.wait_until(
            lambda: len(self.outcomes) >= seen + 20 and of_late() == set(answers),
            what=f"calls are answered by {answers}",
            timeout=20,
        )

    @property
    def failures(self) -> list[Outcome]:
        return [each for each in self.outcomes if each.answer is None]

    def _sync_worker(self, stub: EchoStub) -> None:
        while not self._stop.wait(_PAUSE):
            started, request = time.time(), str(next(self._numbers))
            try:
                response = stub.unary(StringValue(value=request), timeout=5)
            except grpc.RpcError as error:
                self._failed(started, request, error)
            else:
                self.outcomes.append(Outcome(started, request, response.value))

    async def _async_worker(self, stub: EchoAsyncStub) -> None:
        while not self._stop.is_set():
            await asyncio.sleep(_PAUSE)
            started, request = time.time(), str(next(self._numbers))
            try:
                response = await stub.unary(StringValue(value=request), timeout=5)
            except grpc.RpcError as error:
                self._failed(started, request, error)
            else:
                self.outcomes.append(Outcome(started, request, response.value))

    def _failed(self, started: float, request: str, error: grpc.RpcError) -> None:
        self.outcomes.append(Outcome(started, request, None, error.code(), str(error.details())))

    async def _run_async(self) -> None:
        async with EchoAsyncStub(target=self.target) as stub:
            await asyncio.gather(*(self._async_worker(stub) for _ in range(_WORKERS)))

    @contextmanager
    def running(self, kind: Kind) -> Generator[Load]:
        if kind == "async":
            threads = [threading.Thread(target=asyncio.run, args=(self._run_async(),))]
            stub = None
        else:
            stub = EchoStub(target=self.target)
            threads = [threading.Thread(target=self._sync_worker, args=(stub,)) for _ in range(_WORKERS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
            if stub is not None:
                stub.__exit__(None, None, None)
