"""The setuptools integration: generates in builds of projects that have `[tool.dubbo-mesh]`.

Wherever the plugin is installed, setuptools calls `finalize` for every distribution. It therefore imports
nothing for projects that do not use it.
"""

from __future__ import annotations

import glob
import logging
import os
import sys
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, cast

from setuptools import Command

if TYPE_CHECKING:
    from setuptools import Distribution

    from ..placing import Placed
    from ..run import Outcome
    from ..settings import Settings

_COMMAND = "build_dubbo_mesh"

_log = logging.getLogger(__name__)  # setuptools shows it


def finalize(distribution: Distribution) -> None:
    """Makes `build` generate first, if the project in the working directory is configured for it.

    This is an entry point of the group `setuptools.finalize_distribution_options`.
    """
    from ...errors import GenerationError
    from ..settings import has_own_table

    try:
        wanted = has_own_table(Path.cwd())
    except GenerationError:
        return  # setuptools reports what is wrong with pyproject.toml, if it reads that at all
    build = cast("Any", distribution.get_command_class("build"))
    if wanted and _COMMAND not in dict(build.sub_commands):
        # Before build_py, which then finds generated modules that are in the project's packages.
        ours = type("build", (build,), {"sub_commands": [(_COMMAND, None), *build.sub_commands]})
        distribution.cmdclass |= {"build": ours, _COMMAND: BuildDubboMesh}


class BuildDubboMesh(Command):
    """A sub-command of `build`: generates, and adds to the build what build_py does not.

    The attributes and the `get_...` methods are those of `setuptools.command.build.SubCommand`.
    """

    description = "generate messages, stubs and servicers from protos"
    user_options: ClassVar[list[Any]] = []

    editable_mode: bool
    build_lib: str

    def initialize_options(self) -> None:
        """Sets defaults; called by setuptools first."""
        self.editable_mode = False
        self.build_lib = ""

    def finalize_options(self) -> None:
        """Takes over options of `build`; called by setuptools when all options are known."""
        # set_undefined_options of build_py would determine its packages before they are generated.
        self.build_lib = self.get_finalized_command("build").build_lib

    def run(self) -> None:
        """Generates."""
        if self.editable_mode:
            self._expose()
            return
        self._exclude_manifests()
        for module in self._placed:
            target = Path(self.build_lib, module.at)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(module.file.read_bytes())
        for marker in self._markers:
            Path(self.build_lib, marker).touch()

    def get_source_files(self) -> list[str]:
        """The files that an sdist must contain, relative to the project."""
        if "sdist" not in self.distribution.commands:
            return []  # called for metadata only: there is no need to generate
        from .. import stamp

        settings, outcome = self._generated
        files = (*outcome.inputs, *outcome.outputs, stamp.path_of(settings))
        return [
            str(file.relative_to(settings.project))
            for file in files
            if file.is_relative_to(settings.project) and file.exists()
        ]

    def get_outputs(self) -> list[str]:
        """The installed files, in `build_lib`."""
        return [*self.get_output_mapping(), *(str(Path(self.build_lib, at)) for at in self._markers)]

    def get_output_mapping(self) -> dict[str, str]:
        """The installed files, in `build_lib`, each with the file of the project that it comes from."""
        return {str(Path(self.build_lib, module.at)): os.path.relpath(module.file) for module in self._placed}

    @cached_property
    def _generated(self) -> tuple[Settings, Outcome]:
        from ...errors import GenerationError
        from ..paths import encodable
        from ..progress import Progress
        from ..run import update
        from ..settings import read

        try:
            settings = read(Path.cwd())
            outcome = update(settings, Progress(sys.stderr))
        except GenerationError as error:
            sys.exit(str(error))  # an exception would be shown with a traceback
        for warning in outcome.warnings:
            _log.warning(warning)
        # setuptools shows this on standard output, which does not escape what it cannot encode.
        _log.info("dubbo-mesh: %s", encodable(outcome.summary, sys.stdout))
        return settings, outcome

    @cached_property
    def _placed(self) -> list[Placed]:
        from ..placing import misplaced, place

        settings, outcome = self._generated
        placed = list(place(settings, outcome.outputs, self._selected, self._by_directory))
        warning = misplaced(settings, placed)
        if warning is not None:
            _log.warning(warning)
        return placed

    @cached_property
    def _markers(self) -> list[PurePosixPath]:
        """The paths of the `py.typed` that the wheel lacks."""
        from ..typed import MARKER, unmarked

        if self.editable_mode:
            return []
        others: dict[PurePosixPath, Path] = {}
        for package in self._known("packages"):
            at, directory = PurePosixPath(package.replace(".", "/")), self._directory_of(package)
            for file in (*directory.glob("*.py"), directory / MARKER):
                if file.is_file():
                    others[at / file.name] = file
        return unmarked(self._placed, others)

    def _exclude_manifests(self) -> None:
        """Leaves YAML for the mesh out of the wheel, even if a package contains its directory."""
        settings, outcome = self._generated
        manifests = [file for file in outcome.outputs if settings.is_manifest(file)]
        if not manifests:
            return
        build_py = cast("Any", self.get_finalized_command("build_py"))
        excluded: dict[str, list[str]] = build_py.exclude_package_data
        for package in build_py.packages or ():
            directory = self._directory_of(package)
            inside = [file.relative_to(directory) for file in manifests if file.is_relative_to(directory)]
            patterns = [glob.escape(file.as_posix()) for file in inside]
            excluded[package] = [*excluded.get(package, ()), *patterns]

    def _selected(self, file: Path) -> PurePosixPath | None:
        """Where a module goes that is in or below one of the project's packages.

        Asking build_py is not enough: before the first run it knows no packages that are entirely generated.
        """
        packages = {self._directory_of(package): package for package in self._known("packages")}
        for directory in file.parents:
            if directory in packages:
                at = PurePosixPath(packages[directory].replace(".", "/"))
                return at / file.relative_to(directory).as_posix()
        return None

    def _by_directory(self, file: Path) -> PurePosixPath:
        """Where a module goes by its path below the directory that contains the packages."""
        top = Path.cwd() / (self.distribution.package_dir or {}).get("", ".")
        return PurePosixPath(file.relative_to(top if file.is_relative_to(top) else Path.cwd()).as_posix())

    def _directory_of(self, package: str) -> Path:
        from setuptools.discovery import find_package_path

        directory = find_package_path(package, self.distribution.package_dir or {}, str(Path.cwd()))
        return Path(os.path.normpath(directory))

    def _expose(self) -> None:
        """Adds packages and modules that build_py does not know, so that editable installs find them."""
        from ..placing import hidden

        settings, _ = self._generated
        placed = self._placed
        warning = hidden(
            settings, placed, {name: self._directory_of(name) for name in self._known("packages")}
        )
        if warning is not None:
            _log.warning(warning)
        for module in placed:
            top, *below = module.at.with_suffix("").parts
            if not module.selected and module.import_root is not None:
                self._declare("packages" if below else "py_modules", top, module.import_root / top)

    def _declare(self, kind: str, name: str, path: Path) -> None:
        if name in self._known(kind):
            return
        setattr(self.distribution, kind, [*self._known(kind), name])
        if self._directory_of(name) != path:
            # In place, since editable_wheel uses this same mapping to decide how to expose packages.
            directories = cast("dict[str, str]", self.distribution.package_dir or {})
            directories[name] = os.path.relpath(path)
            self.distribution.package_dir = directories

    def _known(self, kind: str) -> list[str]:
        return getattr(self.distribution, kind) or []
