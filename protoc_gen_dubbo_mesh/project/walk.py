"""Walks directories for files of a project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def walk(
    top: Path, *, skip: Callable[[Path], bool] = lambda directory: False
) -> Iterator[tuple[Path, list[str]]]:
    """The directories at and below `top`, sorted, each with the sorted names of its files.

    Hidden directories and virtual environments below `top` are left out. Symbolic links to directories are
    not followed. Directories that cannot be read count as empty.

    Args:
        top: the directory to begin with.
        skip: whether to leave out a directory below `top`, too.
    """
    for at, directories, names in os.walk(top):
        here = Path(at)
        directories[:] = [
            name
            for name in sorted(directories)
            if not name.startswith(".")
            and not (here / name / "pyvenv.cfg").exists()
            and not skip(here / name)
        ]
        yield here, sorted(names)
