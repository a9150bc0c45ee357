"""Imports modules that the command line names. They are a user's code, and may do anything."""

from __future__ import annotations

import importlib
import sys
import traceback
from contextlib import redirect_stdout
from types import ModuleType

from ..._contract.service import Service


class ImportFailedError(Exception):
    """A module cannot be imported; its text is the cause, in one line.

    Attributes:
        version: whether the cause is the API version that the module was generated for.
    """

    def __init__(self, cause: str, *, version: bool = False) -> None:
        super().__init__(cause)
        self.version = version


def imported(name: str) -> ModuleType:
    """Imports a module. What it prints goes to standard error: standard output is for findings.

    Raises:
        ImportFailedError: it cannot be imported, or ends the process.
    """
    importlib.invalidate_caches()
    try:
        with redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except ImportError as error:
        version = "was generated for API version" in str(error)
        raise ImportFailedError(_first_line(str(error)), version=version) from None
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
