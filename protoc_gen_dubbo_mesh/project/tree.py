"""Compares the output directory with what was generated, and updates it."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from . import ownership
from . import stamp as stamps
from .difference import Difference
from .paths import from_text, to_text
from .settings import shown

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from .settings import Settings


def files_below(directory: Path) -> list[str]:
    """The paths of all files below `directory`, as text, sorted."""
    return sorted(
        to_text(path.relative_to(directory).as_posix()) for path in directory.rglob("*") if path.is_file()
    )


def differences(settings: Settings, made: Path, last: stamps.Stamp | None) -> list[Difference]:
    """What must change in the output directory to make it equal to `made`.

    Files that the last run wrote and this one did not are removed, unless they have been edited.
    """
    names = files_below(made)
    found: list[Difference] = []
    for name in names:
        path, after = settings.target(name), (made / from_text(name)).read_bytes()
        before = _read(path)
        # git may be configured to check out with the line endings of another system.
        if before is None or before.replace(b"\r\n", b"\n") != after:
            found.append(Difference(path, before, after))
    if last is not None:
        kept = set(map(settings.target, names))
        for name, path in stamps.targets(settings, last).items():
            if path not in kept and stamps.is_as_written(path, last, name):
                found.append(Difference(path, path.read_bytes(), None))
    return found


def check_ownership(settings: Settings, found: Iterable[Difference], last: stamps.Stamp | None) -> None:
    """Refuses changes to files that are not the output of a run.

    Raises:
        ForeignFilesError: there are such files.
    """
    written = {} if last is None else stamps.targets(settings, last)
    ownership.check(found, {path: last.outputs[name] for name, path in written.items()} if last else {})


def apply(settings: Settings, found: Iterable[Difference]) -> None:
    """Makes the changes; each file is replaced atomically."""
    for path, _, after in found:
        if after is None:
            path.unlink(missing_ok=True)  # another run may have removed it
            _remove_empty(path.parent, {settings.out, settings.manifests_out})
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            draft.write_bytes(after)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def diff(found: Iterable[Difference]) -> Iterator[str]:
    """The lines of a unified diff, including line endings."""
    for path, before, after in found:
        name = Path(shown(path)).as_posix()
        for line in difflib.unified_diff(
            _lines(before),
            _lines(after),
            "/dev/null" if before is None else f"a/{name}",
            "/dev/null" if after is None else f"b/{name}",
        ):
            yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _lines(content: bytes | None) -> list[str]:
    # Not splitlines, which also splits at characters that are not line endings here.
    return [] if content is None else list(io.StringIO(content.decode("utf-8", "replace"), newline="\n"))


def _remove_empty(directory: Path, tops: Container[Path | None]) -> None:
    with contextlib.suppress(OSError):  # not empty: other files are left alone
        while directory not in tops:
            directory.rmdir()
            directory = directory.parent
