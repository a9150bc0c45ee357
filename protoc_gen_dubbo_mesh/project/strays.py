"""Generated files of earlier runs that this one neither writes nor removes.

The last run's stamp, which a fresh clone lacks, would have told that they are to be removed.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..python.modules import module_of, path_of
from . import ownership
from . import stamp as stamps
from .paths import from_text
from .settings import MANIFEST_ENDINGS, shown
from .walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from .difference import Difference
    from .settings import Settings
    from .sources import Sources

_HEADER = 8192  # bytes in which a file's header is searched for


def strays(
    settings: Settings,
    sources: Sources,
    written: Iterable[str],
    found: Iterable[Difference],
    last: stamps.Stamp | None,
) -> list[str]:
    """A line for each of our files that no run writes any more, except those that `found` removes.

    Args:
        settings: the settings of the run.
        sources: its protos.
        written: the names of all files that it writes.
        found: what it changes.
        last: the run before.
    """
    kept = {path for path, _, after in found if after is None} | set(map(settings.target, written))
    lines = [*_modules(settings, sources, kept), *_manifests(settings, kept)]
    if last is not None:
        lines += _changed(settings, kept, last)
    return lines


def _modules(settings: Settings, sources: Sources, kept: set[Path]) -> Iterator[str]:
    """Modules whose proto no longer exists."""
    for path in _files_below(settings.out, "_mesh.py"):
        proto = ownership.our_proto(_beginning(path))
        if (
            proto is None
            or path in kept
            or proto in sources.files
            or _is_excluded(settings, proto)
            or not _belongs_here(path, proto, settings.out)
        ):
            continue
        yield (
            f"{shown(path)}: was generated from {proto}, which is below no root: delete it with its _pb2 "
            f'modules, or set exclude = ["{proto}"] if something else generates it'
        )


def _manifests(settings: Settings, kept: set[Path]) -> Iterator[str]:
    """Manifests of applications that no longer exist, among the kinds that are written."""
    for kind in settings.manifests:
        for path in _files_below(settings.target(f"{kind}/.yaml").parent, *MANIFEST_ENDINGS):
            origins = ownership.our_sources(_beginning(path))
            if path in kept or not origins or all(_is_excluded(settings, origin) for origin in origins):
                continue
            globs = ", ".join(f'"{origin}"' for origin in origins)
            yield (
                f"{shown(path)}: is no longer written, and was generated from {', '.join(origins)}: "
                f"delete it, or set exclude = [{globs}] if something else generates it"
            )


def _changed(settings: Settings, kept: set[Path], last: stamps.Stamp) -> Iterator[str]:
    """Manifests of the last run that have changed since, by git say, of kinds or in places that are no more.

    Elsewhere and of other kinds, manifests may be those of another run.
    """
    current = {settings.target(f"{kind}/.yaml").parent for kind in settings.manifests}
    for path in stamps.targets(settings, last).values():
        if (
            path not in kept
            and path.name.endswith(MANIFEST_ENDINGS)
            and current.isdisjoint(path.parents)
            and path.exists()
            and ownership.our_sources(_beginning(path))
        ):
            yield f"{shown(path)}: is no longer written, and has changed since it was: delete it"


def _is_excluded(settings: Settings, proto: str) -> bool:
    return any(fnmatchcase(proto, pattern) for pattern in settings.exclude)


def _belongs_here(path: Path, proto: str, out: Path) -> bool:
    try:
        return path == out / from_text(path_of(module_of(proto, "_mesh")))
    except GenerationError:
        return False


def _files_below(directory: Path, *endings: str) -> Iterator[Path]:
    for here, names in walk(directory):
        yield from (here / name for name in names if name.endswith(endings))


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEADER)
