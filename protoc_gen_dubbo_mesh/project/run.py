"""Updates the output of a project, or reports how it is stale."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import GenerationError
from . import plugins, tree
from . import sources as protos
from . import stamp as stamps
from .settings import file_error, shown
from .strays import strays

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from .difference import Difference
    from .plugins import Program
    from .production import Production
    from .progress import Progress
    from .settings import Settings
    from .sources import Sources


class Outcome(NamedTuple):
    """The result of one run.

    Attributes:
        outputs: all generated files, changed or not.
        inputs: all files that were read, as far as they are known.
        summary: one line about what was done.
        changed: whether anything was written or removed.
        warnings: a line each.
    """

    outputs: tuple[Path, ...]
    inputs: tuple[Path, ...]
    summary: str
    changed: bool = False
    warnings: tuple[str, ...] = ()


class Staleness(NamedTuple):
    """How the output differs from that of a run.

    Attributes:
        differences: the files that a run would write or remove.
        strays: generated files whose proto no longer exists and that a run would not remove; a line each.
        warnings: a line each.
    """

    differences: list[Difference]
    strays: list[str]
    warnings: tuple[str, ...]


@contextlib.contextmanager
def _plain_errors() -> Generator[None]:
    """Turns errors of files and directories into one line."""
    try:
        yield
    except OSError as error:
        raise file_error(error) from error


@_plain_errors()
def update(settings: Settings, progress: Progress, *, overwrite: bool = False) -> Outcome:
    """Generates what is missing or stale. After an error, nothing has been written.

    Args:
        settings: the settings of the run.
        progress: reports on stages that take long.
        overwrite: whether to replace files that are not the output of a run.

    Raises:
        ForeignFilesError: a file that would be replaced is not the output of a run.
        GenerationError: the settings or protos have an error, or a file cannot be read or written.
    """
    last = stamps.read(settings)
    if _is_sdist_without_its_protos(settings) and last is not None:
        return _as_shipped(settings, last)
    sources = protos.find(settings)
    programs = plugins.find(settings.plugins)
    if last is not None and stamps.is_current(settings, sources, programs, last):
        return _outcome(settings, sources, last)
    # Hashed first: a proto that is edited during the run must count as changed afterwards.
    read = stamps.hash_inputs(sources, sources.files)
    with _produced(settings, sources, programs, progress) as (made, run):
        found = tree.differences(settings, made, last)
        if not overwrite:
            tree.check_ownership(settings, found, last)
        stamp = stamps.Stamp(
            stamps.tools(settings, sources, programs),
            _known({**stamps.hash_inputs(sources, run.inputs), **read}),
            _known(stamps.hash_files(made, tree.files_below(made))),
            stamps.manifests_out(settings),
        )
        tree.apply(settings, found)
    warnings = [
        *run.warnings,
        *(f"warning: {stray}" for stray in strays(settings, sources, stamp.outputs, found, last)),
    ]
    try:
        stamps.write(settings, stamp)
    except OSError as error:
        warnings.append(
            "warning: the next run will generate everything again: cannot write "
            f"{shown(stamps.path_of(settings))}: {error.strerror}"
        )
    return _outcome(settings, sources, stamp, found, warnings)


@_plain_errors()
def check(settings: Settings, progress: Progress, *, overwrite: bool = False) -> Staleness:
    """Reports what `update` would change, and writes nothing.

    Raises:
        ForeignFilesError: see `update`.
        GenerationError: the settings or protos have an error, or a file cannot be read.
    """
    sources = protos.find(settings)
    last = stamps.read(settings)
    programs = plugins.find(settings.plugins)
    with _produced(settings, sources, programs, progress) as (made, run):
        found = tree.differences(settings, made, last)
        if not overwrite:
            tree.check_ownership(settings, found, last)
        names = tree.files_below(made)
    return Staleness(found, strays(settings, sources, names, found, last), run.warnings)


@contextlib.contextmanager
def _produced(
    settings: Settings, sources: Sources, programs: Sequence[Program], progress: Progress
) -> Generator[tuple[Path, Production]]:
    from .production import produce  # if all is up to date, neither protobuf nor the plugin is loaded

    with tempfile.TemporaryDirectory(prefix="dubbo-mesh-") as directory:
        work, made = Path(directory) / "work", Path(directory) / "made"
        work.mkdir()
        made.mkdir()
        yield made, produce(settings, sources, programs, made, work, progress)


def _is_sdist_without_its_protos(settings: Settings) -> bool:
    """Whether this is an unpacked sdist, which cannot contain protos from outside the project."""
    return (settings.project / "PKG-INFO").exists() and bool(protos.missing_directories(settings))


def _as_shipped(settings: Settings, last: stamps.Stamp) -> Outcome:
    if not stamps.has_its_outputs(settings, last):
        raise GenerationError(
            f"{shown(protos.missing_directories(settings)[0])} is not part of this sdist, "
            "and what was generated from it has been changed or removed"
        )
    outputs = tuple(map(settings.target, last.outputs))
    return Outcome(outputs, (), f"{shown(settings.out)} is used as it is in this sdist")


def _outcome(
    settings: Settings,
    sources: Sources,
    stamp: stamps.Stamp,
    found: Sequence[Difference] = (),
    warnings: Sequence[str] = (),
) -> Outcome:
    located = (sources.locate(name) for name in stamp.inputs)
    return Outcome(
        outputs=tuple(map(settings.target, stamp.outputs)),
        inputs=(*(file for file in located if file), *settings.parameter_files),
        summary=_summary(settings, sources, found),
        changed=bool(found),
        warnings=tuple(warnings),
    )


def _summary(settings: Settings, sources: Sources, found: Sequence[Difference]) -> str:
    tops = dict.fromkeys((settings.out, settings.manifests_out or settings.out))
    below = " and ".join(map(shown, tops))
    if not found:
        return f"{below} {'is' if len(tops) == 1 else 'are'} up to date"
    removed = sum(after is None for _, _, after in found)
    written, from_ = len(found) - removed, len(sources.files)
    return f"{written} written and {removed} removed below {below}, from {from_} .proto"


def _known(hashes: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in hashes.items() if value is not None}
