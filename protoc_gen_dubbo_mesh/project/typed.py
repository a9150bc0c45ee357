"""Which directories of a wheel are marked as typed, by PEP 561's `py.typed`.

Without it, type checkers ignore the types of installed packages. It applies to everything below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path, PurePosixPath

    from .placing import Placed

MARKER = "py.typed"


def unmarked(placed: Iterable[Placed], others: Mapping[PurePosixPath, Path]) -> list[PurePosixPath]:
    """The paths in the wheel of the markers that it lacks, in the innermost directories that need one.

    A directory is marked if it has generated modules, all of them typed, and nothing else below it is Python:
    whether a project's own modules are typed is not known. Generated packages are namespace packages without
    `__init__.py`, whose outer directories may be shared with other distributions. A module in the wheel's top
    directory cannot be typed.

    Args:
        placed: the generated modules.
        others: what else is in the wheel, by its path there, and may include generated modules.
    """
    generated = {module.at for module in placed}
    own = [at for at, file in others.items() if at not in generated and not _is_neutral(at, file)]
    messages = [at for at in generated if at.name.endswith("_pb2.py")]
    untyped = [at for at in messages if at.with_suffix(".pyi") not in generated]
    excluded = {directory for at in (*own, *untyped) for directory in at.parents}
    marked = {at.parent for at in others if at.name == MARKER}
    found: list[PurePosixPath] = []
    for directory in sorted({at.parent for at in generated}, key=lambda at: len(at.parts)):
        if not directory.parts or directory in excluded:
            continue
        if marked.isdisjoint((directory, *directory.parents)):
            marked.add(directory)
            found.append(directory / MARKER)
    return found


def _is_neutral(at: PurePosixPath, file: Path) -> bool:
    """Whether the file contains no Python code that could be untyped."""
    if at.suffix not in {".py", ".pyi"}:
        return True
    lines = file.read_bytes().splitlines()
    return at.name == "__init__.py" and all(line.lstrip()[:1] in {b"", b"#"} for line in lines)
