"""Finds a project's protos, and reads what the names of their files and packages depend on.

protoc cannot do that: it needs to know the directories in which imports are found, which is what we want to
find out from the protos, and it gives no result for a proto with an error. Only names at the top level are
needed, and a few kinds of tokens are enough to read those.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from ..walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      (?P<comment>//[^\n]*|/\*.*?\*/)
    | "(?P<double>(?:\\.|[^"\\\n])*)"
    | '(?P<single>(?:\\.|[^'\\\n])*)'
    | (?P<word>[\w.]+)
    | (?P<mark>[{};])
    """,
    re.DOTALL | re.VERBOSE,
)
_NOT_SOURCES = {"node_modules", "site-packages", "__pycache__"}
_BUILT = {"build", "dist", "target"}
"""Directories that build tools write at the top of a project."""


class Proto(NamedTuple):
    """A proto.

    Attributes:
        path: its path below the project.
        package: its package, or "".
        imports: the names of the protos that it imports.
        services: the full names of its services.
    """

    path: PurePosixPath
    package: str = ""
    imports: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


def find(project: Path) -> list[Proto]:
    """The protos of a project, except what is hidden, ignored by git, or in a virtual environment.

    Args:
        project: an absolute path.
    """
    ignored = _ignored_by_git(project)

    def skip(directory: Path) -> bool:
        return (
            directory in ignored
            or directory.name in _NOT_SOURCES
            or (directory.name in _BUILT and directory.parent == project)
        )

    return [
        read(PurePosixPath((here / name).relative_to(project).as_posix()), here / name)
        for here, names in walk(project, skip=skip)
        for name in names
        if name.endswith(".proto") and here / name not in ignored and (here / name).is_file()
    ]


def read(path: PurePosixPath, file: Path) -> Proto:
    """Reads a proto; one that cannot be read has no package, imports and services."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Proto(path)
    package, imports, services = "", list[str](), list[str]()
    for statement in _statements(text):
        match statement:
            case ["package", *parts]:
                package = "".join(parts)
            case ["import", "public" | "weak" | "option", *parts] | ["import", *parts]:
                imports.append("".join(parts))
            case ["service", name]:
                services.append(f"{package}.{name}" if package else name)
            case _:
                pass
    return Proto(path, package, tuple(imports), tuple(services))


def _statements(text: str) -> Iterator[list[str]]:
    """The words and strings of each statement at the top level, up to its semicolon or block."""
    statement: list[str] = []
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token["mark"]
        if mark is None:
            if depth == 0 and token["comment"] is None:
                strings = (token[kind] for kind in ("word", "double", "single"))
                statement.append(next(text for text in strings if text is not None))
            continue
        if depth == 0 and statement:
            yield statement
        statement = []
        if mark != ";":
            depth = max(0, depth + (1 if mark == "{" else -1))


def _ignored_by_git(project: Path) -> set[Path]:
    """The files and directories that git ignores; none without git or a repository."""
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "--others", "--ignored", "--exclude-standard"]
    try:
        done = subprocess.run(  # noqa: S603
            [*command, "--directory", "-z"], cwd=project, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return set()
    names = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return {project / name for name in names if name}
