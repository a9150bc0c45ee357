"""Which protos there are, and where those are that they import."""

from __future__ import annotations

import importlib.util
import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import GenerationError
from .settings import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .settings import Settings


def proto_path() -> Path:
    """The directory that holds `dubbo_mesh/v1/options.proto`, for protoc's `-I`."""
    import dubbo_mesh

    return Path(dubbo_mesh.__path__[0]).parent


class Sources(NamedTuple):
    """The protos of a run.

    Attributes:
        files: the files to generate from, by the names that imports know them by, in order.
        search: the directories in which imports are looked for, in order.
    """

    files: Mapping[str, Path]
    search: tuple[Path, ...]

    def locate(self, name: str) -> Path | None:
        """The file that protoc finds for the proto `name`."""
        return next((file for directory in self.search if (file := directory / name).is_file()), None)


def missing_directories(settings: Settings) -> list[Path]:
    """The roots and import directories that are not there."""
    return [path for path in (*settings.roots, *settings.import_path) if not path.is_dir()]


def find(settings: Settings) -> Sources:
    """Finds the protos below the roots.

    Raises:
        GenerationError: a directory is missing, nothing is found, or two files have one name.
    """
    for missing in missing_directories(settings):
        raise GenerationError(
            f"{shown(missing)} is no directory: nothing can be generated or imported from it"
        )
    files: dict[str, Path] = {}
    modules: dict[str, str] = {}
    for root in settings.roots:
        for name in _below(root, settings.roots):
            if any(fnmatchcase(name, pattern) for pattern in settings.exclude):
                continue
            # As protoc's Python generator makes a path of it.
            module = name.removesuffix(".proto").replace("-", "_").replace(".", "/") + "_pb2.py"
            other = modules.setdefault(module, name)
            if name in files or other != name:
                raise GenerationError(
                    f"{shown(files[other])} and {shown(root / name)} both become {module}: rename one"
                )
            files[name] = root / name
    if not files:
        raise GenerationError(f"there is no .proto file below {', '.join(map(shown, settings.roots))}")
    search = (*settings.roots, *settings.import_path, *_installed())
    for directory in search:
        # protoc takes several directories at once, and has no way to quote what parts them.
        if os.pathsep in str(directory) or "\n" in str(directory):
            raise GenerationError(
                f"protoc cannot be given {str(directory)!r}: it parts paths at {os.pathsep!r}"
            )
    return Sources(dict(sorted(files.items())), search)


def _below(root: Path, roots: tuple[Path, ...]) -> Iterator[str]:
    """The names of the protos below `root`, without those below a root inside of it."""
    for at, directories, names in os.walk(root):
        here = Path(at)
        directories[:] = [
            name
            for name in sorted(directories)
            if not name.startswith(".")
            and here / name not in roots
            and not (here / name / "pyvenv.cfg").exists()
        ]
        for name in sorted(names):
            if name.endswith(".proto"):
                proto = (here / name).relative_to(root).as_posix()
                if not proto.isprintable() or proto.startswith("-"):
                    raise GenerationError(f"{proto!r} is a name that protoc cannot be given")
                yield proto


def _installed() -> list[Path]:
    """Where installed distributions have their protos: ours, grpc_tools' (Google's own), any other's.

    `google/api/annotations.proto`, say, comes with googleapis-common-protos.
    """
    packages = [Path(entry) for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    spec = importlib.util.find_spec("grpc_tools")
    locations = spec.submodule_search_locations if spec else None
    if not locations:
        raise GenerationError("grpc_tools, which has protoc, is not installed: pip install grpcio-tools")
    found = [proto_path(), Path(locations[0]) / "_proto", *packages]
    return list(dict.fromkeys(path for path in found if path.is_dir()))
