"""One run of a health check: a function, a coroutine function, or what else returns an awaitable."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress

from .._contract.validation import printable


class AwaitingLoop:
    """The event loop that awaits what checks return: the server's, or else one on a thread of its own."""

    def __init__(self, servers: asyncio.AbstractEventLoop | None) -> None:
        """Starts no thread yet.

        Args:
            servers: the server's event loop, if it has one.
        """
        self._servers = servers
        self._own: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def is_gone(self) -> bool:
        """Whether the server's loop is closed, and its server with it."""
        return self._servers is not None and self._servers.is_closed()

    def call(self, callback: Callable[[], object]) -> None:
        """Calls `callback` on the loop.

        Raises:
            RuntimeError: the loop is closed, or the process cannot have one more thread.
        """
        (self._servers or self._started()).call_soon_threadsafe(callback)

    def close(self) -> None:
        """Ends a loop of its own, and cancels what that awaits."""
        with self._lock:
            self._closed = True
            if self._own is not None:
                with suppress(RuntimeError):  # it is closed
                    self._own.call_soon_threadsafe(self._own.stop)

    def join(self, timeout: float) -> None:
        """Waits until a thread of its own has ended."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise RuntimeError("the health checks are closed")
            if self._own is None:
                made: Future[asyncio.AbstractEventLoop] = Future()
                thread = threading.Thread(
                    target=_run_loop, args=(made,), name="dubbo-mesh-checks-loop", daemon=True
                )
                thread.start()
                self._thread = thread
                self._own = made.result()
            return self._own


def _run_loop(made: Future[asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner() as runner:  # cancels in the end what is left
        made.set_result(runner.get_loop())
        runner.get_loop().run_forever()


class Run:
    """One run of a check, on a thread of its own.

    Attributes:
        ended: whether the check has returned, and what it returned been awaited.
        trouble: why it has failed; None if it has passed.
    """

    def __init__(
        self, check: Callable[[], object], loop: AwaitingLoop, name: str, ended: Callable[[], None]
    ) -> None:
        """Starts it.

        Args:
            check: what to call.
            loop: where to await what it returns.
            name: of the thread.
            ended: called on any thread when the run has ended.
        """
        self.ended = False
        self.trouble: str | None = None
        self._check = check
        self._loop = loop
        self._when_ended = ended
        self._task: asyncio.Task[str | None] | None = None
        self._cancelled = False
        self._thread = threading.Thread(target=self._call, name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the process cannot have one more thread
            self._end(_description(error))

    def cancel(self) -> None:
        """Cancels what the check waits for, if that is awaited."""
        self._cancelled = True
        task = self._task
        if task is not None and not self.ended:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call(task.cancel)

    def join(self, timeout: float) -> bool:
        """Waits for the check to return; returns whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _call(self) -> None:
        try:
            result = self._check()
            if inspect.isawaitable(result):
                self._hand_over(result)
                return
            trouble = _trouble(result)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the check has failed
            trouble = _description(error)
        self._end(trouble)

    def _hand_over(self, awaitable: Awaitable[object]) -> None:
        try:
            self._loop.call(lambda: self._begin_awaiting(awaitable))
        except RuntimeError:
            _discard(awaitable)
            raise

    def _begin_awaiting(self, awaitable: Awaitable[object]) -> None:
        if self._cancelled:
            _discard(awaitable)
            self._end("cancelled")
            return
        self._task = asyncio.get_running_loop().create_task(_awaited(awaitable))
        self._task.add_done_callback(lambda task: self._end_with(task, awaitable))

    def _end_with(self, task: asyncio.Task[str | None], awaitable: Awaitable[object]) -> None:
        if task.cancelled():
            _discard(awaitable)  # it may have been cancelled before it began
            self._end("cancelled")
        else:
            error = task.exception()
            self._end(task.result() if error is None else _description(error))

    def _end(self, trouble: str | None) -> None:
        self.trouble = trouble
        self.ended = True
        self._when_ended()


async def _awaited(awaitable: Awaitable[object]) -> str | None:
    """Awaits, and lets no exception out that would end the event loop, as SystemExit does."""
    try:
        return _trouble(await awaitable)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return _description(error)  # of something that the check has awaited itself
    except KeyboardInterrupt:  # not the check's: it comes wherever the main thread is
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, the check has failed
        return _description(error)


def _discard(awaitable: Awaitable[object]) -> None:
    close = getattr(awaitable, "close", None)  # of a coroutine: Python warns of one that was never awaited
    if close is not None:
        close()


def _description(error: BaseException) -> str:
    try:
        return printable(repr(error), 500)
    except Exception:  # noqa: BLE001 - an error that cannot even be shown has to count as one
        return type(error).__name__


def _trouble(result: object) -> str | None:
    return "returned False" if result is False else None
