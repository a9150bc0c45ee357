"""The protos to generate from, and the directories in which their imports are found."""

from __future__ import annotations

import importlib.util
import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import GenerationError
from .paths import from_text, to_text
from .settings import in_project, shown
from .walk import walk

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
        files: the files to generate from, by the names under which they are imported, sorted.
        search: the directories in which imports are searched for, in order.
        parameter_files: the files that parameters name, by the names that the plugin is given.
    """

    files: Mapping[str, Path]
    search: tuple[Path, ...]
    parameter_files: Mapping[str, Path] = {}

    def locate(self, name: str) -> Path | None:
        """The file that protoc finds for the proto `name`."""
        return next(
            (file for directory in self.search if (file := directory / from_text(name)).is_file()), None
        )


def missing_directories(settings: Settings) -> list[Path]:
    """The roots and import directories that do not exist."""
    return [path for path in (*settings.roots, *settings.import_path) if not path.is_dir()]


def find(settings: Settings) -> Sources:
    """Finds the protos below the roots.

    Raises:
        GenerationError: a directory is missing, there are no protos, or two would have the same module.
    """
    for missing in missing_directories(settings):
        raise GenerationError(
            f"{shown(missing)} is not a directory: correct roots or import-path, which name it"
        )
    files: dict[str, Path] = {}
    modules: dict[str, str] = {}
    for root in settings.roots:
        for name in _below(root, settings.roots):
            if any(fnmatchcase(name, pattern) for pattern in settings.exclude):
                continue
            # The path that protoc's Python generator writes.
            module = name.removesuffix(".proto").replace("-", "_").replace(".", "/") + "_pb2.py"
            other = modules.setdefault(module, name)
            file = root / from_text(name)
            if not name.isprintable() or name.startswith("-"):
                raise GenerationError(f"protoc cannot handle the file name {name!r}: rename or exclude it")
            if not file.is_file():
                raise GenerationError(f"{shown(file)} must be a file or a link to one: rename or exclude it")
            if not os.access(file, os.R_OK):
                raise GenerationError("cannot be read: Permission denied", shown(file))
            if name in files or other != name:
                raise GenerationError(
                    f"{shown(files[other])} and {shown(file)} both become {module}: rename one"
                )
            files[name] = file
    if not files:
        raise GenerationError(
            f"there is no .proto file below {', '.join(map(shown, settings.roots))}: correct roots or exclude"
        )
    search = (*settings.roots, *settings.import_path, *_installed())
    for directory in search:
        # protoc takes several directories in one argument, and the separator cannot be escaped.
        if os.pathsep in str(directory) or "\n" in str(directory):
            raise GenerationError(
                f"protoc cannot handle the path {str(directory)!r}, since it splits paths at {os.pathsep!r} "
                "and newlines: rename the directory"
            )
        if not _is_text(to_text(directory)):
            raise GenerationError(
                f"protoc cannot handle the path {to_text(directory)!r}, which is not UTF-8: "
                "rename the directory"
            )
    named = {in_project(settings.project, file): file for file in settings.parameter_files}
    return Sources(dict(sorted(files.items())), search, named)


def _below(root: Path, roots: tuple[Path, ...]) -> Iterator[str]:
    """The names of the protos below `root`, except those below another root inside it."""
    for here, names in walk(root, skip=roots.__contains__, on_error=_raise):
        for name in names:
            if name.endswith(".proto"):
                proto = to_text((here / name).relative_to(root).as_posix())
                yield proto


def _raise(error: OSError) -> None:
    """Ends the run: what was generated from protos that cannot be seen would be removed."""
    raise error


def _is_text(path: str) -> bool:
    """Whether all bytes of the path are UTF-8: Python escapes the others, to lone surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _installed() -> list[Path]:
    """The directories with the protos of installed distributions: ours, grpc_tools' (protobuf's own), others.

    For example, `google/api/annotations.proto` comes with googleapis-common-protos.
    """
    packages = [Path(entry) for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    spec = importlib.util.find_spec("grpc_tools")
    locations = spec.submodule_search_locations if spec else None
    if not locations:
        raise GenerationError("protoc is not installed: pip install grpcio-tools")
    found = [proto_path(), Path(locations[0]) / "_proto", *packages]
    return list(dict.fromkeys(path for path in found if path.is_dir()))
