"""Where generated modules must be in a wheel so that they can be imported."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from .settings import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .settings import Settings


class Placed(NamedTuple):
    """A generated module.

    Attributes:
        file: the file in the project.
        at: its path in the wheel.
        selected: whether the path results from the project's package that the file is in.
    """

    file: Path
    at: PurePosixPath
    selected: bool

    @property
    def import_root(self) -> Path | None:
        """The directory to which `at` is relative: what sys.path needs in an editable install."""
        count = len(self.at.parts)
        if self.file.parts[-count:] != self.at.parts:
            return None
        return Path(*self.file.parts[:-count])


def place(
    settings: Settings,
    outputs: Iterable[Path],
    selected: Callable[[Path], PurePosixPath | None],
    otherwise: Callable[[Path], PurePosixPath],
) -> Iterator[Placed]:
    """Determines the path in the wheel of each generated module.

    Args:
        settings: the settings of the run.
        outputs: the generated files.
        selected: where the build puts a file that is in one of the project's packages; None for others.
        otherwise: where a file goes by its path in the project. It applies if modules import each other
            relatively; otherwise their imports determine the path.
    """
    for file in outputs:
        if file.suffix not in {".py", ".pyi"}:
            continue
        at = selected(file)
        if at is not None:
            yield Placed(file, at, selected=True)
        else:
            yield Placed(file, imported_as(settings, file) or otherwise(file), selected=False)


def imported_as(settings: Settings, file: Path) -> PurePosixPath | None:
    """The path of a module, below an entry of sys.path, by which it is imported; None if relatively."""
    if settings.options.get("imports") == "relative":
        return None
    package = settings.options.get("import_prefix", "").replace(".", "/")
    return PurePosixPath(package, file.relative_to(settings.out).as_posix())


def misplaced(settings: Settings, placed: Iterable[Placed]) -> str | None:
    """A warning if modules are in another package in the wheel than the one that they are imported from."""
    for module in placed:
        imported = imported_as(settings, module.file)
        if imported is None or imported == module.at:
            continue
        package = ".".join(module.at.parts[: -len(module.file.relative_to(settings.out).parts)])
        remedy = f'import_prefix = "{package}" or imports = "relative"' if package else "no import_prefix"
        return (
            f"warning: {shown(module.file)} is installed as {module.at}, but imported as {imported}: "
            f"set {remedy} in the options, or change out"
        )
    return None


def hidden(settings: Settings, placed: Iterable[Placed], packages: Mapping[str, Path]) -> str | None:
    """A warning if an editable install hides modules: Python searches a package in one directory only.

    Args:
        settings: the settings of the run.
        placed: the generated modules.
        packages: the directories of the project's packages, by their dotted names.
    """
    for module in placed:
        root = module.import_root
        if module.selected or root is None:
            continue
        for part in module.at.parents:
            package = ".".join(part.parts)
            directory = packages.get(package, root / part)
            if directory != root / part and (directory / "__init__.py").exists():
                return (
                    f"warning: an editable install cannot import {shown(module.file)}: its package {package} "
                    f"is in {shown(directory)}: change out, which is {shown(settings.out)}"
                )
    return None
