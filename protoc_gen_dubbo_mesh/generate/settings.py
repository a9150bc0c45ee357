"""What to generate: `[tool.dubbo-mesh]` in pyproject.toml, a build hook's table, the command line.

[tool.dubbo-mesh]
roots = ["protos"]              # below these every .proto is generated from
out = "src"                     # where protoc's module paths begin
exclude = ["shop/internal/*"]   # protos (their names below a root) to leave out, as globs
import-path = ["third_party"]   # where imports are looked for, beside the roots

[tool.dubbo-mesh.options]       # the plugin's parameters
app = "shop"
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("roots", "out", "exclude", "import-path", "options")
PATH_OPTIONS = ("config", "service_config")
"""The plugin's parameters that name files."""


class Settings(NamedTuple):
    """What to generate, checked; all paths are absolute.

    Attributes:
        project: the directory that the settings are for; build tools run there.
        roots: directories below which every proto is generated from.
        out: the directory that the output goes to.
        import_path: directories in which imported protos are looked for, beside the roots.
        exclude: globs (fnmatch, case-sensitive; `*` crosses slashes) of protos to leave out.
        options: the plugin's parameters.
    """

    project: Path
    roots: tuple[Path, ...]
    out: Path
    import_path: tuple[Path, ...] = ()
    exclude: tuple[str, ...] = ()
    options: Mapping[str, str] = {}

    @property
    def option_files(self) -> tuple[Path, ...]:
        """The files that the plugin's parameters name."""
        return tuple(self.project / self.options[name] for name in PATH_OPTIONS if name in self.options)

    @property
    def parameter(self) -> str:
        """The plugin's parameters as one string."""
        said = dict(self.options)
        for name in PATH_OPTIONS:
            if name in said:
                said[name] = shown(self.project / said[name])
        return ",".join(f"{name}={value}" for name, value in said.items())


def read(project: Path, given: Mapping[str, object] | None = None) -> Settings:
    """Reads the settings of a project.

    Args:
        project: the directory of its pyproject.toml, if it has one.
        given: what wins over pyproject.toml, under the same keys; `options` are merged one by one.

    Raises:
        GenerationError: a key is unknown, missing or malformed.
    """
    project = Path(os.path.abspath(project))  # noqa: PTH100 - a symbolic link is a name its owner chose
    said: dict[str, object] = {}
    options: dict[str, str] = {}
    for where, table in (*_tables(project), ("", given or {})):
        for key, value in table.items():
            if key not in _KEYS:
                raise GenerationError(f"{where}unknown key {key!r}; known: {', '.join(_KEYS)}")
            if key == "options":
                options |= _options(where, value)
            else:
                said[key] = _text(f"{where}{key}", value) if key == "out" else _texts(f"{where}{key}", value)
    for key, example in (("roots", '["protos"]'), ("out", '"src"')):
        if not said.get(key):
            raise GenerationError(
                f"nothing says {key}: write {key} = {example} below [tool.dubbo-mesh] in pyproject.toml, "
                f"or give --{key.removesuffix('s')}"
            )
    return Settings(
        project=project,
        roots=_paths(project, said["roots"]),
        out=_paths(project, [said["out"]])[0],
        import_path=_paths(project, said.get("import-path", [])),
        exclude=tuple(cast("list[str]", said.get("exclude", []))),
        options=options,
    )


def has_own_table(project: Path) -> bool:
    """Whether there is a pyproject.toml with `[tool.dubbo-mesh]`.

    Raises:
        GenerationError: pyproject.toml is no TOML.
    """
    return "dubbo-mesh" in _tool(project)


def shown(path: Path) -> str:
    """A path as people want to read it: relative where it is below the working directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _tool(project: Path) -> Mapping[str, Any]:
    file = project / "pyproject.toml"
    try:
        return cast("Mapping[str, Any]", tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GenerationError(f"no TOML: {error}", shown(file)) from error


def _tables(project: Path) -> list[tuple[str, Mapping[str, object]]]:
    """The tables that say something, with a name for each; a later one wins."""
    tables: list[tuple[str, Mapping[str, object]]] = []
    for name in ("dubbo-mesh", "hatch.build.hooks.dubbo-mesh"):
        where = f"{shown(project / 'pyproject.toml')}: [tool.{name}] "
        table: object = _tool(project)
        for key in name.split("."):
            table = cast("dict[str, object]", table).get(key, {})
            if not isinstance(table, dict):
                raise GenerationError(f"{where}is no table")
        tables.append((where, without_hatch_keys(cast("dict[str, object]", table))))
    return tables


def without_hatch_keys(table: Mapping[str, object]) -> dict[str, object]:
    """A build hook's table without the keys that are Hatchling's own."""
    hatch = {"dependencies", "require-runtime-dependencies", "require-runtime-features", "enable-by-default"}
    return {key: value for key, value in table.items() if key not in hatch}


def _options(where: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise GenerationError(f"{where}options is no table of the plugin's parameters")
    options: dict[str, str] = {}
    for name, said in cast("dict[str, object]", value).items():
        if isinstance(said, bool) or not isinstance(said, str | int):
            raise GenerationError(f"{where}options: {name} is neither a text nor a whole number")
        if "," in f"{name}{said}":
            raise GenerationError(f"{where}options: {name} = {said!r} holds a comma, which parts parameters")
        options[name] = str(said)
    return options


def _text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise GenerationError(f"{what} is no text")
    return value


def _texts(what: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        raise GenerationError(f"{what} is no list of texts")
    return cast("list[str]", value)


def _paths(project: Path, values: object) -> tuple[Path, ...]:
    return tuple(Path(os.path.normpath(project / value)) for value in cast("list[str]", values))
