"""Health checks of the user's own, which decide on what the health service reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._contract.errors import ConfigurationError
from .._contract.logs import logger
from .board import WHOLE_SERVER, Board
from .runs import AwaitingLoop, Run

if TYPE_CHECKING:
    import asyncio

_log = logger(__name__)

_LATE = 1.0
"""Seconds beyond its timeout that a first result is waited for, and that runs have to end at close."""


@dataclass(frozen=True, slots=True, eq=False)
class HealthCheck:
    """A question that is asked again and again: can this server, or one of its services, do its work?

    While the answer is no, the server or service is NOT_SERVING.

    Attributes:
        check: called without arguments, on a thread. An awaitable that it returns, as coroutine functions do,
            is awaited on the server's event loop; the checks of a sync server share a loop of their own. The
            check passes by returning anything but False. It fails by returning False, by raising anything, or
            by not returning within `timeout`.
        service: full name or Dubbo service key of the service it is about; "" for the whole server.
        interval: seconds between the end of one run and the start of the next.
        timeout: seconds that a run may take. What is awaited is then cancelled; a function goes on, and the
            next run starts after it has returned.
    """

    check: Callable[[], object] | Callable[[], Awaitable[object]]
    service: str = WHOLE_SERVER
    interval: float = 5.0
    timeout: float = 1.0

    def __post_init__(self) -> None:
        if not callable(self.check):
            raise TypeError(f"check must be callable, not {self.check!r}")
        for name, seconds in (("interval", self.interval), ("timeout", self.timeout)):
            if not 0 < seconds <= threading.TIMEOUT_MAX:
                raise ValueError(f"{name} must be a positive number of seconds, not {seconds!r}")

    @property
    def name(self) -> str:
        """The name of the check in logs."""
        return getattr(self.check, "__qualname__", repr(self.check))


def health_checks_of(checks: Iterable[HealthCheck | Callable[[], object]]) -> tuple[HealthCheck, ...]:
    """What users gave, as checks: a function alone is about the whole server."""
    return tuple(each if isinstance(each, HealthCheck) else HealthCheck(each) for each in checks)


class Checker:
    """Runs the checks of one server, and notes on its board what they find.

    Until a check has passed for the first time, what it is about is NOT_SERVING.
    """

    def __init__(
        self, checks: Sequence[HealthCheck], board: Board, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """Starts running the checks.

        Args:
            checks: the checks to run, each on threads of its own.
            board: where their findings are noted.
            loop: the server's event loop; None if it has none.

        Raises:
            ConfigurationError: a check is about a service that is not on the server.
        """
        for check in checks:
            if not board.has(check.service):
                raise ConfigurationError(
                    f"health check {check.name}: no service {check.service!r} on this server"
                )
        self._loop = AwaitingLoop(loop)
        self._repeated = [_Repeated(check, board, self._loop) for check in checks]
        try:
            for each in self._repeated:
                each.start()
        except RuntimeError:  # the process can have no more threads
            self.close()
            raise

    def wait_checked(self) -> None:
        """Waits until each check has passed or failed once: not much longer than the longest timeout."""
        for each in self._repeated:
            each.wait_checked()

    def close(self) -> None:
        """Runs no check again. Returns within a second or so, whatever the checks do."""
        ends = time.monotonic() + _LATE
        for each in self._repeated:
            each.close()
        self._loop.close()
        for each in self._repeated:
            each.join(ends)
        self._loop.join(max(0.0, ends - time.monotonic()))


class _Repeated:
    """One check, and the thread that has it run again and again."""

    def __init__(self, check: HealthCheck, board: Board, loop: AwaitingLoop) -> None:
        self._check = check
        self._board = board
        self._loop = loop
        self._changed = threading.Condition()
        self._closed = False
        self._checked = threading.Event()
        self._passing = True
        self._run: Run | None = None
        self._thread = threading.Thread(
            target=self._repeat, name=f"dubbo-mesh-check-{check.name}", daemon=True
        )

    def start(self) -> None:
        self._board.note(self._check, self._check.service, passed=False)
        self._thread.start()

    def wait_checked(self) -> None:
        self._checked.wait(self._check.timeout + _LATE)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def join(self, ends: float) -> None:
        if self._thread.ident is not None:
            self._thread.join(max(0.0, ends - time.monotonic()))
        if self._run is not None and not self._run.join(max(0.0, ends - time.monotonic())):
            _log.warning(
                "health check %s does not return; its thread ends with the process", self._check.name
            )

    def _repeat(self) -> None:
        try:
            while not self._is_over():
                self._run = run = Run(
                    self._check.check,
                    self._loop,
                    name=f"dubbo-mesh-checking-{self._check.name}",
                    ended=self._wake,
                )
                in_time = self._wait(run, self._check.timeout)
                if self._closed:
                    return
                self._note(run.trouble if in_time else f"no answer within {self._check.timeout:g} s")
                run.cancel()
                while not self._wait(run, self._check.interval):  # it is late: no second run beside it
                    pass
                self._wait(None, self._check.interval)
        finally:
            if self._run is not None:
                self._run.cancel()
            self._checked.set()

    def _note(self, trouble: str | None) -> None:
        passes = trouble is None
        if passes is not self._passing:
            self._passing = passes
            if passes:
                _log.info("health check %s passes again", self._check.name)
            else:
                _log.warning("health check %s fails: %s", self._check.name, trouble)
        self._board.note(self._check, self._check.service, passed=passes)
        self._checked.set()

    def _is_over(self) -> bool:
        return self._closed or self._loop.is_gone

    def _wait(self, run: Run | None, timeout: float) -> bool:
        """Waits until `run` has ended, or all is over; returns whether it was in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_over() or (run is not None and run.ended), timeout)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
