"""Reads the files that parameters name."""

from __future__ import annotations

from ..errors import GenerationError


def read(parameter: str, path: str) -> str:
    """The text of a file.

    Args:
        parameter: the name of the parameter that names it, for the error.
        path: its path, absolute or relative to the working directory. It is encoded in UTF-8, as the
            parameter is, in any locale: builds may run in one that is ASCII. A byte order mark is left out.

    Raises:
        GenerationError: it cannot be read, or is not UTF-8.
    """
    try:
        with open(path.encode(), encoding="utf-8-sig") as file:  # noqa: PTH123 - Path takes no bytes
            return file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise GenerationError(f"parameter {parameter}={path!r} cannot be read: {reason}") from error
