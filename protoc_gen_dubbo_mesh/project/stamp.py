"""The inputs and outputs of the last run, which tell the next run whether there is anything to do.

Stored in `.dubbo_mesh_cache/` in the project. As the caches of other tools do, it contains a .gitignore for
itself. It is part of sdists, so that a build from one finds the output up to date.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .. import __version__
from ..templating.sources import digest, read_templates, rooms
from .paths import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .plugins import Program
    from .settings import Settings
    from .sources import Sources

DIRECTORY = ".dubbo_mesh_cache"

_FORMAT = 1
_TOOLS = ("black", "dubbo-mesh", "grpcio-tools", "protobuf")


class Stamp(NamedTuple):
    """A finished run.

    Attributes:
        tools: a digest of the programs, the options and the list of protos.
        inputs: the hash of each proto that was read, by name.
        outputs: the hash of each file that was written, by its name: its path below the output directory.
        manifests_out: the output directory of manifests, relative to the project; None means that of modules.
    """

    tools: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    manifests_out: str | None = None


def path_of(settings: Settings) -> Path:
    """The stamp's file; there is one for each combination of roots and output directory."""
    identity = [to_text(os.path.relpath(path, settings.project)) for path in (settings.out, *settings.roots)]
    return settings.project / DIRECTORY / f"{_hash(json.dumps(identity).encode())[:16]}.json"


def read(settings: Settings) -> Stamp | None:
    """The stamp of the last run; None if it is missing or cannot be read."""
    try:
        stamp = cast("dict[str, Any]", json.loads(path_of(settings).read_bytes()))
        if stamp.pop("format") == _FORMAT:
            return Stamp(**stamp)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # missing or damaged: everything is generated again
    return None


def write(settings: Settings, stamp: Stamp) -> None:
    """Stores the stamp for the next run."""
    path = path_of(settings)
    path.parent.mkdir(exist_ok=True)
    ignore = path.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    path.write_text(json.dumps({"format": _FORMAT, **stamp._asdict()}, indent=1) + "\n", encoding="utf-8")


def is_current(settings: Settings, sources: Sources, programs: Iterable[Program], stamp: Stamp) -> bool:
    """Whether a run would change nothing."""
    return (
        stamp.tools == tools(settings, sources, programs)
        and stamp.manifests_out == manifests_out(settings)
        and stamp.inputs == hash_inputs(sources, stamp.inputs)
        and has_its_outputs(settings, stamp)
    )


def manifests_out(settings: Settings) -> str | None:
    """The output directory of manifests as stamps have it."""
    if settings.manifests_out is None:
        return None
    return to_text(os.path.relpath(settings.manifests_out, settings.project))


def targets(settings: Settings, stamp: Stamp) -> dict[str, Path]:
    """Where the run of a stamp wrote each file, by its name."""
    directory = None if stamp.manifests_out is None else settings.project / from_text(stamp.manifests_out)
    then = settings._replace(manifests_out=directory)
    return {name: then.target(name) for name in stamp.outputs if ".." not in Path(name).parts}


def is_as_written(path: Path, stamp: Stamp, name: str) -> bool:
    """Whether a file is as the run of a stamp wrote it."""
    return _hash_file(path) == stamp.outputs[name]


def has_its_outputs(settings: Settings, stamp: Stamp) -> bool:
    """Whether the output exists as the last run wrote it."""
    return stamp.outputs == hash_outputs(settings, stamp.outputs)


def tools(settings: Settings, sources: Sources, programs: Iterable[Program]) -> str:
    """A digest of everything that determines the output, except the content of the protos."""
    package = Path(__file__).parents[1]
    return _hash(
        json.dumps(
            [
                __version__,
                *map(_version, _TOOLS),
                sys.version_info[:2],  # its keywords are renamed
                [_hash(file.read_bytes()) for file in sorted(package.rglob("*.py"))],
                [digest(read_templates(room)) for room in rooms()],
                dict(settings.options),
                [[program.name, program.opt, program.version] for program in programs],
                settings.pyi,
                [_hash_file(file) for file in settings.parameter_files],
                list(sources.files),
            ]
        ).encode()
    )


def hash_inputs(sources: Sources, names: Iterable[str]) -> dict[str, str | None]:
    """The current hash of each proto; None for those that are not found."""
    found = ((name, sources.locate(name)) for name in names)
    return {name: _hash_file(file) if file else None for name, file in found}


def hash_outputs(settings: Settings, names: Iterable[str]) -> dict[str, str | None]:
    """The hash of each generated file, by its name; None for those that do not exist."""
    return {name: _hash_file(settings.target(name)) for name in names}


def hash_files(directory: Path, names: Iterable[str]) -> dict[str, str | None]:
    """The hash of each file below `directory`, by the text of its path; None for those that do not exist."""
    return {name: _hash_file(directory / from_text(name)) for name in names}


def _hash_file(path: Path) -> str | None:
    try:
        return _hash(path.read_bytes())
    except OSError:
        return None


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
