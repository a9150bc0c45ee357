"""Imports modules that the command line names. They are a user's code, and may do anything."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from types import ModuleType

from ..._contract.service import Service


class ImportFailedError(Exception):
    """A module cannot be imported; its text is the cause, in one line.

    Attributes:
        version: whether the cause is the API version that the module was generated for.
        missing: the name of another module that there is not; None if that is not the cause.
    """

    def __init__(self, cause: str, *, version: bool = False, missing: str | None = None) -> None:
        super().__init__(cause)
        self.version = version
        self.missing = missing


class _TooLateError(BaseException):
    """An import takes too long. No Exception, which a module may catch."""


def imported(name: str, seconds: float) -> ModuleType:
    """Imports a module. What it prints goes to standard error: standard output is for findings.

    Args:
        name: its full name.
        seconds: how long that may take.

    Raises:
        ImportFailedError: it cannot be imported, takes too long, or ends the process.
    """
    importlib.invalidate_caches()
    try:
        with redirect_stdout(sys.stderr), _limited(seconds):
            return importlib.import_module(name)
    except _TooLateError as error:
        raise ImportFailedError(f"it takes longer than {seconds:.3g} s{_where(error)}") from None
    except ImportError as error:
        version = "was generated for API version" in str(error)
        missing = error.name if isinstance(error, ModuleNotFoundError) and error.name != name else None
        raise ImportFailedError(_first_line(str(error)), version=version, missing=missing) from None
    except SyntaxError as error:
        raise ImportFailedError(f"{error.filename}, line {error.lineno}: {error.msg}") from None
    except SystemExit as stop:
        raise ImportFailedError(f"it ends the process with status {stop.code!r}{_where(stop)}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - it is a user's code that runs
        text = _first_line(str(error))
        raise ImportFailedError(
            f"{type(error).__name__}{': ' if text else ''}{text}{_where(error)}"
        ) from None


@contextmanager
def _limited(seconds: float) -> Generator[None]:
    """Interrupts what takes too long; not on Windows, nor on other threads than the main one.

    A thread would not do: modules may register handlers of signals, which only the main thread may.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise _TooLateError

    previous = signal.signal(signal.SIGALRM, interrupt)
    start = time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - start), 0.001), interval)


def services_of(module: ModuleType) -> dict[str, Service]:
    """The services of all stubs and servicers that a module has, by the names of the classes."""
    found: dict[str, Service] = {}
    for name, value in list(vars(module).items()):
        service = service_of(value)
        if service is not None:
            found[name] = service
    return found


def service_of(value: object) -> Service | None:
    """The service of a stub or a servicer; None if it is neither."""
    service: object = getattr(value, "__mesh__", None) if isinstance(value, type) else None
    return service if isinstance(service, Service) else None


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _where(error: BaseException) -> str:
    """The line that raised it, in the module's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [each for each in frames if "importlib" not in each.filename and each.filename != __file__]
    return f" ({lines[-1].filename}, line {lines[-1].lineno})" if lines else ""
