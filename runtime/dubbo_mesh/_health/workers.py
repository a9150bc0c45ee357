"""Threads for handlers, which never keep a process from ending."""

from __future__ import annotations

import logging
import os
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_log = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Workers(ThreadPoolExecutor):
    """A pool of daemon threads, started as they are needed.

    At exit Python waits for the threads of its own executor: one handler that hangs would keep the process of
    a drained server alive until Kubernetes kills it. The base class is there for its type only: grpc accepts
    nothing but a `ThreadPoolExecutor` as the pool of a single handler.
    """

    def __init__(self, name: str, max_workers: int | None = None) -> None:
        """Starts no thread yet.

        Args:
            name: the prefix of the threads' names.
            max_workers: how many threads there may be; by default as many as in Python's own executor.

        Raises:
            ValueError: there would be none.
        """
        super().__init__(1)
        if max_workers is None:
            max_workers = min(32, (os.cpu_count() or 1) + 4)
        if max_workers < 1:
            raise ValueError(f"max_workers must be at least 1, not {max_workers}")
        self._thread_name = name
        self._most = max_workers
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0
        self._growing = threading.Lock()

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
        if not self._idle.acquire(blocking=False):
            self._grow()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the threads when all tasks submitted so far are done; does not wait for that."""
        self._tasks.put(None)

    def _grow(self) -> None:
        with self._growing:
            if self._started >= self._most:
                return
            self._started += 1
            name = f"{self._thread_name}-{self._started}"
            if self._started == 1:
                weakref.finalize(self, self._tasks.put, None).atexit = False
        thread = threading.Thread(target=_work, args=(self._tasks, self._idle), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The process may have no more threads. The task stays in the queue for the next thread that is
            # free: an exception would end the thread of grpc's that hands out calls, and with it the server.
            with self._growing:
                self._started -= 1
            _log.warning("cannot start thread %s", name, exc_info=True)


def _work(tasks: queue.SimpleQueue[Callable[[], None] | None], idle: threading.Semaphore) -> None:
    # A function, not a method: the threads must not keep a pool alive that nobody else refers to.
    while (task := tasks.get()) is not None:
        task()
        del task  # an idle thread must not keep the last call alive
        idle.release()
    tasks.put(None)  # for the next thread
