"""Threads for handlers, which never keep a process from ending."""

from __future__ import annotations

import os
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from .._contract.logs import logger

_log = logger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Workers(ThreadPoolExecutor):
    """A pool of daemon threads, started as they are needed.

    At exit Python waits for the threads of its own executor: one handler that hangs would keep the process of
    a drained server alive until Kubernetes kills it. The base class is there for its type only: grpc accepts
    nothing but a `ThreadPoolExecutor` as the pool of a single handler.
    """

    def __init__(
        self, name: str, max_workers: int | None = None, *, idle_timeout: float | None = None
    ) -> None:
        """Starts no thread yet.

        Args:
            name: the prefix of the threads' names.
            max_workers: how many threads there may be; by default as many as in Python's own executor.
            idle_timeout: seconds without a task after which a thread ends; None means never.

        Raises:
            ValueError: there would be none.
        """
        super().__init__(1)
        if max_workers is None:
            max_workers = min(32, (os.cpu_count() or 1) + 4)
        if max_workers < 1:
            raise ValueError(f"max_workers must be at least 1, not {max_workers}")
        self._thread_name = name
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle_timeout = idle_timeout
        self._shared = _Threads(max_workers)
        weakref.finalize(self, self._tasks.put, None).atexit = False

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Runs `fn` on one of the threads as soon as one is free."""
        future: Future[_T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - the future reports it
                future.set_exception(error)
            else:
                future.set_result(result)

        self._tasks.put(run)
        number = self._shared.engage()
        if number is not None:
            self._start(number)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the threads when all tasks submitted so far are done; does not wait for that."""
        self._tasks.put(None)

    def _start(self, number: int) -> None:
        name = f"{self._thread_name}-{number}"
        work = (self._tasks, self._shared, self._idle_timeout)
        try:
            threading.Thread(target=_work, args=work, name=name, daemon=True).start()
        except RuntimeError:
            # The process may have no more threads. The task stays in the queue for the next thread that is
            # free: an exception would end the thread of grpc's that hands out calls, and with it the server.
            self._shared.not_started()
            _log.warning("cannot start thread %s", name, exc_info=True)


class _Threads:
    """The books of a pool, which it shares with its threads."""

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._most = most
        self._number = 0
        self._free = 0  # threads that are free, less tasks that no thread is free for

    def engage(self) -> int | None:
        """Engages a thread for one more task; returns the number of the one to start for it, if any."""
        with self._lock:
            if self._free > 0 or self._number >= self._most:
                self._free -= 1
                return None
            self._number += 1
            return self._number

    def not_started(self) -> None:
        """Notes that a thread could not be started: its task waits for another."""
        with self._lock:
            self._number -= 1
            self._free -= 1

    def done(self) -> None:
        """Notes that a thread has done its task."""
        with self._lock:
            self._free += 1

    def leave(self) -> bool:
        """Lets a thread end, unless a task needs it; returns which."""
        with self._lock:
            if self._free <= 0:
                return False
            self._free -= 1
            self._number -= 1
            return True


def _work(
    tasks: queue.SimpleQueue[Callable[[], None] | None], threads: _Threads, idle_timeout: float | None
) -> None:
    # A function, not a method: the threads must not keep a pool alive that nobody else refers to.
    while True:
        try:
            task = tasks.get(timeout=idle_timeout)
        except queue.Empty:
            if threads.leave():
                return
            continue
        if task is None:
            tasks.put(None)  # for the next thread
            return
        task()
        del task  # an idle thread must not keep the last call alive
        threads.done()
