"""Lists the files of a project's directories."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def walk(
    top: Path,
    *,
    skip: Callable[[Path], bool] = lambda directory: False,
    on_error: Callable[[OSError], None] = lambda error: None,
) -> Iterator[tuple[Path, list[str]]]:
    """The directories at and below `top`, sorted, each with the sorted names of its files.

    Hidden directories and virtual environments below `top` are left out. Symbolic links to directories are
    not followed. Directories that cannot be read count as empty unless `on_error` raises.

    Args:
        top: the directory to begin with.
        skip: whether to leave out a directory below `top`, too.
        on_error: called if a directory cannot be read.
    """
    for at, directories, names in os.walk(top, onerror=on_error):
        here = Path(at)
        directories[:] = [
            name
            for name in sorted(directories)
            if not name.startswith(".") and not _is_virtual_environment(here / name) and not skip(here / name)
        ]
        yield here, sorted(names)


def _is_virtual_environment(directory: Path) -> bool:
    """Whether a directory is a virtual environment; one that cannot be read is none."""
    return os.path.exists(directory / "pyvenv.cfg")  # noqa: PTH110 - Path.exists raises if it may not look
