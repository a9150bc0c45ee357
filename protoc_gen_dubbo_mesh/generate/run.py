"""Makes the output of a project agree with its protos, or says how it does not."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import GenerationError
from . import sources as protos
from . import stamp as stamps
from . import tree
from .settings import shown

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from .production import Made
    from .progress import Progress
    from .settings import Settings
    from .sources import Sources


class Outcome(NamedTuple):
    """What came of a run.

    Attributes:
        outputs: all files that the protos give, below the output directory, changed or not.
        inputs: all files that were read for it, where they are known.
        summary: one line on what was done.
        changed: whether anything was written or removed.
        warnings: a line each.
    """

    outputs: tuple[Path, ...]
    inputs: tuple[Path, ...]
    summary: str
    changed: bool = False
    warnings: tuple[str, ...] = ()


class Staleness(NamedTuple):
    """How the output differs from what a run would leave.

    Attributes:
        differences: the files that a run would write or remove.
        strays: what it would leave behind, though its proto is gone; a line each.
        warnings: a line each.
    """

    differences: list[tree.Difference]
    strays: list[str]
    warnings: tuple[str, ...]


@contextlib.contextmanager
def _plain_errors() -> Generator[None]:
    """Says in one line what is wrong with a file or directory."""
    try:
        yield
    except OSError as error:
        raise GenerationError(f"{error.strerror}: {shown(Path(str(error.filename)))}") from error


@_plain_errors()
def update(settings: Settings, progress: Progress) -> Outcome:
    """Generates what is not there yet as it should be. After an error, nothing has been written.

    Raises:
        GenerationError: something cannot be generated from or written to.
    """
    last = stamps.read(settings)
    if _is_sdist_without_its_protos(settings) and last is not None:
        return _as_shipped(settings, last)
    sources = protos.find(settings)
    if last is not None and stamps.is_current(settings, sources, last):
        return _outcome(settings, sources, last)
    # What is edited from now on is not what this run is made from.
    read = stamps.hash_inputs(sources, sources.files)
    with _produced(settings, sources, progress) as (made, run):
        found = tree.differences(settings, made, last)
        stamp = stamps.Stamp(
            stamps.tools(settings, sources),
            _known({**stamps.hash_inputs(sources, run.inputs), **read}),
            _known(stamps.hash_files(made, tree.files_below(made))),
        )
        tree.apply(settings, found)
    warnings = [*run.warnings, *(f"warning: {stray}" for stray in tree.strays(settings, sources, found))]
    try:
        stamps.write(settings, stamp)
    except OSError as error:
        warnings.append(
            f"warning: all will be generated anew next time: cannot write {error.filename}: {error.strerror}"
        )
    return _outcome(settings, sources, stamp, found, warnings)


@_plain_errors()
def check(settings: Settings, progress: Progress) -> Staleness:
    """Says what `update` would change, and writes nothing.

    Raises:
        GenerationError: something cannot be generated from.
    """
    sources = protos.find(settings)
    with _produced(settings, sources, progress) as (made, run):
        found = tree.differences(settings, made, stamps.read(settings))
    return Staleness(found, tree.strays(settings, sources, found), run.warnings)


@contextlib.contextmanager
def _produced(settings: Settings, sources: Sources, progress: Progress) -> Generator[tuple[Path, Made]]:
    from .production import produce  # what is up to date needs neither protobuf nor the plugin

    with tempfile.TemporaryDirectory(prefix="dubbo-mesh-") as directory:
        work, made = Path(directory) / "work", Path(directory) / "made"
        work.mkdir()
        made.mkdir()
        yield made, produce(settings, sources, made, work, progress)


def _is_sdist_without_its_protos(settings: Settings) -> bool:
    """Whether this is an unpacked sdist that could not take along what lies outside of the project."""
    return (settings.project / "PKG-INFO").exists() and bool(protos.missing_directories(settings))


def _as_shipped(settings: Settings, last: stamps.Stamp) -> Outcome:
    if not stamps.has_its_outputs(settings, last):
        raise GenerationError(
            f"{shown(protos.missing_directories(settings)[0])} is not part of this sdist, "
            "and what was generated from it is no longer as it was"
        )
    outputs = tuple(settings.out / name for name in last.outputs)
    return Outcome(outputs, (), f"{shown(settings.out)} is used as this sdist has it")


def _outcome(
    settings: Settings,
    sources: Sources,
    stamp: stamps.Stamp,
    found: Sequence[tree.Difference] = (),
    warnings: Sequence[str] = (),
) -> Outcome:
    located = (sources.locate(name) for name in stamp.inputs)
    return Outcome(
        outputs=tuple(settings.out / name for name in stamp.outputs),
        inputs=(*(file for file in located if file), *settings.option_files),
        summary=_summary(settings, sources, found),
        changed=bool(found),
        warnings=tuple(warnings),
    )


def _summary(settings: Settings, sources: Sources, found: Sequence[tree.Difference]) -> str:
    if not found:
        return f"{shown(settings.out)} is up to date"
    removed = sum(after is None for _, _, after in found)
    written, from_ = len(found) - removed, len(sources.files)
    return f"{written} written and {removed} removed below {shown(settings.out)}, from {from_} .proto"


def _known(hashes: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in hashes.items() if value is not None}
