"""The Hatchling build hook `dubbo-mesh`: `[tool.hatch.build.hooks.dubbo-mesh]`.

Hatchling imports this in every build in whose environment the plugin is installed. It therefore imports
nothing but Hatchling until it is used.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

if TYPE_CHECKING:
    from ..placing import Placed
    from ..run import Outcome
    from ..settings import Settings


class DubboMeshBuildHook(BuildHookInterface[BuilderConfig]):
    """Generates before each build, and includes the output in the build even if git ignores it."""

    PLUGIN_NAME = "dubbo-mesh"

    _markers: Path | None = None
    """A directory of `py.typed` files for the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generates; Hatchling calls this before each build.

        Args:
            version: the kind of wheel: `standard` or `editable`.
            build_data: the input of the build; see Hatchling's documentation of build hooks.
        """
        from ...errors import GenerationError
        from ..progress import Progress
        from ..run import update
        from ..settings import read, without_hatch_keys

        try:
            settings = read(Path(self.root), without_hatch_keys(self.config))
            outcome = update(settings, Progress(sys.stderr))
        except GenerationError as error:
            self.app.display_error(str(error))
            sys.exit(1)  # an exception would be shown with a traceback
        for warning in outcome.warnings:
            self.app.display_warning(warning)
        self.app.display_info(f"dubbo-mesh: {outcome.summary}")
        if self.target_name == "sdist":
            self._ship(settings, outcome, build_data)
        elif self.target_name == "wheel":
            self._install(settings, outcome, build_data, editable=version == "editable")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes what only the build needed; Hatchling calls this after each build.

        Args:
            version: see `initialize`.
            build_data: see `initialize`.
            artifact_path: the wheel or sdist.
        """
        if self._markers is not None:
            shutil.rmtree(self._markers, ignore_errors=True)

    def _ship(self, settings: Settings, outcome: Outcome, build_data: dict[str, Any]) -> None:
        """Includes in the sdist everything that a wheel is built from, and the output."""
        from .. import stamp

        files = (*outcome.inputs, *outcome.outputs, stamp.path_of(settings))
        for file in files:
            if file.is_relative_to(self.root) and file.exists():
                build_data["force_include"][str(file)] = file.relative_to(self.root).as_posix()

    def _install(
        self, settings: Settings, outcome: Outcome, build_data: dict[str, Any], *, editable: bool
    ) -> None:
        from ..paths import to_text
        from ..placing import misplaced, place

        self._exclude_manifests(settings, outcome)
        placed = list(place(settings, outcome.outputs, self._selected, self._rewritten))
        warning = misplaced(settings, placed)
        if warning is not None:
            self.app.display_warning(warning)
        # Artifacts are selected even if git ignores them, and count when Hatchling looks for packages.
        build_data["artifacts"] += [
            _pattern(module.file.relative_to(self.root)) for module in placed if module.selected
        ]
        if editable:
            self._expose(settings, placed, build_data)
        else:
            build_data["force_include"] |= {
                str(module.file): to_text(str(module.at)) for module in placed if not module.selected
            }
            self._mark_as_typed(settings, placed, build_data)

    def _exclude_manifests(self, settings: Settings, outcome: Outcome) -> None:
        """Leaves YAML for the mesh out of the wheel, even if a package contains its directory."""
        manifests = [
            _pattern(file.relative_to(self.root))
            for file in outcome.outputs
            if settings.is_manifest(file) and file.is_relative_to(self.root)
        ]
        if not manifests or not self._finds_code:
            return
        config = cast("Any", self.build_config)  # only partly typed by Hatchling
        if "exclude" in config.target_config:
            excluded = config.target_config["exclude"]
        else:
            excluded = config.build_config.get("exclude", config.default_exclude())
        config.target_config["exclude"] = [*excluded, *manifests]

    def _mark_as_typed(self, settings: Settings, placed: list[Placed], build_data: dict[str, Any]) -> None:
        from .. import stamp
        from ..paths import to_text
        from ..typed import unmarked

        others: dict[PurePosixPath, Path] = {}
        if self._finds_code:
            builder = cast("Any", self.build_config).builder  # only partly typed by Hatchling
            for file in builder.recurse_included_files():
                others[PurePosixPath(Path(file.distribution_path).as_posix())] = Path(file.path)
        self._markers = stamp.path_of(settings).parent / "typed"
        for marker in unmarked(placed, others):
            # One source for each, since Hatchling includes a file once.
            source = self._markers / marker
            source.parent.mkdir(parents=True, exist_ok=True)
            source.touch()
            build_data["force_include"][str(source)] = to_text(str(marker))

    @cached_property
    def _directories(self) -> list[Path]:
        """The directories that Hatchling includes in the wheel, if it selects by directory."""
        return [Path(path) for path in self.build_config.only_include] if self._finds_code else []

    @cached_property
    def _finds_code(self) -> bool:
        """Whether the project configures, or Hatchling finds, what goes into the wheel."""
        try:
            return bool(self.build_config.only_include or self.build_config.include_spec)
        except ValueError:  # it found no package: there may be no code but what is generated
            return False

    def _selected(self, file: Path) -> PurePosixPath | None:
        """Where Hatchling puts a file; None if it does not select the file for the wheel."""
        if not self._finds_code or not file.is_relative_to(self.root):
            return None
        if self._directories:
            taken = any(map(file.is_relative_to, self._directories))
        else:
            taken = self.build_config.path_is_included(str(file.relative_to(self.root)))
        return self._rewritten(file) if taken else None

    def _rewritten(self, file: Path) -> PurePosixPath:
        """Where Hatchling puts a file that it selects: without `src/`, if that contains the packages."""
        path = os.path.relpath(file, self.root)
        if self._finds_code:
            path = self.build_config.get_distribution_path(path)
        return PurePosixPath(Path(path).as_posix())

    def _expose(self, settings: Settings, placed: list[Placed], build_data: dict[str, Any]) -> None:
        """Adds to sys.path the directories of modules that Hatchling does not select."""
        from .. import stamp
        from ..placing import hidden

        packages = {".".join(self._rewritten(path).parts): path for path in self._directories}
        warning = hidden(settings, placed, packages)
        if warning is not None:
            self.app.display_warning(warning)
        roots = {module.import_root for module in placed if not module.selected} - {None}
        if not roots:
            return
        project = cast("Any", self).metadata.name  # only partly typed by Hatchling
        name = f"_{re.sub(r'[^A-Za-z0-9]+', '_', project)}_dubbo_mesh.pth"
        path = stamp.path_of(settings).with_name(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(sorted(f"{root}\n" for root in roots)), encoding="utf-8")
        build_data["force_include_editable"] = {
            **self.build_config.get_force_include(),
            **build_data["force_include_editable"],
            str(path): name,
        }


@hookimpl
def hatch_register_build_hook() -> type[DubboMeshBuildHook]:
    """Registers the hook with Hatchling."""
    return DubboMeshBuildHook


def _pattern(path: Path) -> str:
    """A pattern in the syntax of .gitignore that matches exactly this path below the project."""
    return "/" + re.sub(r"([\\*?\[\]!# ])", r"\\\1", path.as_posix())
