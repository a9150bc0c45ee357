"""Health checks of the user's own, folded into what the health service says."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any, cast

from .board import WHOLE_SERVER, Board

_LOGGER = logging.getLogger("dubbo_mesh")


@dataclass(frozen=True, slots=True, eq=False)
class HealthCheck:
    """A question asked again and again: can this server, or one of its services, do its work?

    While the answer is no, what it is about is NOT_SERVING.

    Attributes:
        check: a function or coroutine function without arguments. It passes by returning anything but False,
            and fails by returning False, by raising, or by not returning within `timeout`.
        service: full name or Dubbo service key of the service it is about; "" for the whole server.
        interval: seconds between the end of one run and the next.
        timeout: seconds that a run may take. A run that is late is not ended, if it is no coroutine; the next
            begins only when it has.
    """

    check: Callable[[], object] | Callable[[], Awaitable[object]]
    service: str = WHOLE_SERVER
    interval: float = 5.0
    timeout: float = 1.0

    def __post_init__(self) -> None:
        if not callable(self.check):
            raise TypeError(f"check: {self.check!r} cannot be called")
        for name, seconds in (("interval", self.interval), ("timeout", self.timeout)):
            if not seconds > 0:
                raise ValueError(f"{name}: {seconds!r} is not a positive number of seconds")

    @property
    def name(self) -> str:
        """What logs call it."""
        return getattr(self.check, "__qualname__", repr(self.check))


def health_checks_of(checks: Iterable[HealthCheck | Callable[[], object]]) -> tuple[HealthCheck, ...]:
    """What users gave, as checks: a function alone is about the whole server."""
    return tuple(each if isinstance(each, HealthCheck) else HealthCheck(each) for each in checks)


class Checker:
    """Runs the checks of one server, each on a thread of its own, and notes on its board what they find."""

    def __init__(
        self, checks: Sequence[HealthCheck], board: Board, loop: asyncio.AbstractEventLoop | None
    ) -> None:
        """Starts running the checks.

        Args:
            checks: which.
            board: where their findings are noted.
            loop: where coroutine functions run; without one each gets an event loop of its own.
        """
        self._board = board
        self._loop = loop
        self._closed = threading.Event()
        self._checked = [threading.Event() for _ in checks]
        for check, checked in zip(checks, self._checked, strict=True):
            threading.Thread(
                target=self._repeat, args=(check, checked), name=f"dubbo-mesh-check-{check.name}", daemon=True
            ).start()

    def wait_checked(self) -> None:
        """Waits until each check has passed or failed once."""
        for checked in self._checked:
            checked.wait()

    def close(self) -> None:
        """Runs no check again."""
        self._closed.set()

    def _repeat(self, check: HealthCheck, checked: threading.Event) -> None:
        passing = True
        while not self._closed.is_set():
            try:
                run = self._start(check)
            except RuntimeError:  # the event loop is closed, and the server with it
                return
            trouble = _trouble(run, check.timeout)
            if (trouble is None) != passing:
                passing = trouble is None
                _LOGGER.log(
                    logging.INFO if passing else logging.WARNING,
                    "health check %s %s",
                    check.name,
                    "passes again" if passing else f"fails: {trouble}",
                )
            self._board.note(check, check.service, passed=passing)
            checked.set()
            _wait(run)
            self._closed.wait(check.interval)

    def _start(self, check: HealthCheck) -> Future[object]:
        if inspect.iscoroutinefunction(check.check):
            coroutine = cast("Coroutine[Any, Any, object]", check.check())
            if self._loop is not None:
                try:
                    return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
                except RuntimeError:
                    coroutine.close()
                    raise
            return _on_thread(lambda: asyncio.run(asyncio.wait_for(coroutine, check.timeout)), check.name)
        return _on_thread(check.check, check.name)


def _on_thread(function: Callable[[], object], name: str) -> Future[object]:
    future: Future[object] = Future()

    def run() -> None:
        future.set_running_or_notify_cancel()
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is the future's to tell
            future.set_exception(error)

    threading.Thread(target=run, name=f"dubbo-mesh-checking-{name}", daemon=True).start()
    return future


def _trouble(run: Future[object], timeout: float) -> str | None:
    """Why the run counts as failed; None if it has passed."""
    began = time.monotonic()
    try:
        result = run.result(timeout)
    except TimeoutError as error:
        if time.monotonic() - began < timeout and run.done():
            return repr(error)
        run.cancel()
        return f"no answer within {timeout:g} s"
    except (Exception, CancelledError) as error:  # noqa: BLE001 - whatever it is, the check has failed
        return repr(error)
    return "returned False" if result is False else None


def _wait(run: Future[object]) -> None:
    done = threading.Event()
    run.add_done_callback(lambda _: done.set())
    done.wait()
