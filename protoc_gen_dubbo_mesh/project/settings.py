"""The settings of a run: `[tool.dubbo-mesh]` in pyproject.toml, a build hook's table, the command line.

[tool.dubbo-mesh]
roots = ["protos"]              # generate from every .proto below these directories
out = "src"                     # the output directory, as protoc's --python_out
manifests-out = "deploy"        # that of YAML (the parameter emit); default: out
exclude = ["shop/internal/*"]   # globs of protos to exclude, by their names below a root
import-path = ["third_party"]   # directories to search for imports, in addition to the roots
plugins = ["mypy"]              # further protoc plugins, by the NAME of protoc's --NAME_out
pyi = "none"                    # or "protoc", the default unless a plugin replaces protoc's .pyi

[tool.dubbo-mesh.options]       # the plugin's parameters
app = "shop"
aliases = ["lower-first"]       # a list if there are several values
labels = { version = "v1" }     # or a table
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeGuard, cast

from ..errors import GenerationError
from ..parameters import EMITTERS
from ..policy.toml_lines import TomlFile
from . import plugins as further
from .paths import from_setting, from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("roots", "out", "manifests-out", "exclude", "import-path", "options", "plugins", "pyi")
_PATHS = ("out", "manifests-out")
PYI = ("protoc", "none")
"""The values of `pyi`."""
MANIFESTS = tuple(kind for kind in EMITTERS if kind != "python")
MANIFEST_ENDINGS = (".yaml", ".env")
"""How the names of manifests end: YAML, and the environments of processes beside static Envoys."""
PATH_PARAMETERS = ("config", "service_config")
"""The plugin's parameters that name files."""


class Settings(NamedTuple):
    """The settings of a run, checked; all paths are absolute.

    Attributes:
        project: the project's directory; build tools run there.
        roots: the directories whose protos are generated from.
        out: the output directory.
        import_path: directories to search for imported protos, in addition to the roots.
        exclude: globs (fnmatch, case-sensitive; `*` also matches slashes) of protos to exclude.
        options: the plugin's parameters.
        plugins: further protoc plugins.
        pyi: what writes the `.pyi` of messages: `protoc`, or `none` if at most plugins do; None means unset.
        manifests_out: the output directory of manifests; None means `out`.
    """

    project: Path
    roots: tuple[Path, ...]
    out: Path
    import_path: tuple[Path, ...] = ()
    exclude: tuple[str, ...] = ()
    options: Mapping[str, str] = {}
    plugins: tuple[further.Plugin, ...] = ()
    pyi: str | None = None
    manifests_out: Path | None = None

    @property
    def manifests(self) -> tuple[str, ...]:
        """The directories of manifests, below their output directory, that a run writes."""
        return tuple(kind for kind in self.options.get("emit", "").split("+") if kind in MANIFESTS)

    def target(self, name: str) -> Path:
        """Where a generated file goes.

        Args:
            name: the path that its generator gives it.
        """
        directory, _, _ = name.partition("/")
        is_manifest = directory in MANIFESTS and name.endswith(MANIFEST_ENDINGS)
        return (self._manifests_out if is_manifest else self.out) / from_text(name)

    def is_manifest(self, file: Path) -> bool:
        """Whether a generated file is one of the mesh's manifests."""
        return file.suffix in MANIFEST_ENDINGS and any(
            file.is_relative_to(self._manifests_out / kind) for kind in MANIFESTS
        )

    @property
    def _manifests_out(self) -> Path:
        return self.manifests_out or self.out

    @property
    def parameter_files(self) -> tuple[Path, ...]:
        """The files that the plugin's parameters name."""
        return tuple(
            self.project / from_setting(self.options[name])
            for name in PATH_PARAMETERS
            if name in self.options
        )

    @property
    def parameter(self) -> str:
        """The plugin's parameters as one string, with paths relative to the project: manifests show them."""
        options = dict(self.options)
        for name in PATH_PARAMETERS:
            if name in options:
                options[name] = in_project(self.project, self.project / from_setting(options[name]))
        return to_text(from_setting(",".join(f"{name}={value}" for name, value in options.items())))


def read(project: Path, given: Mapping[str, object] | None = None) -> Settings:
    """Reads the settings of a project.

    Args:
        project: the directory of its pyproject.toml, if it has one.
        given: settings that override pyproject.toml, by the same keys; `options` are merged one by one.

    Raises:
        GenerationError: a key is unknown, missing or malformed.
    """
    project = Path(os.path.abspath(project))  # noqa: PTH100 - resolve() would replace symbolic links
    found: dict[str, object] = {}
    options: dict[str, str] = {}
    for table in (*_tables(project), _Table(given or {})):
        for key, value in table.content.items():
            where = table.where(key)
            if key not in _KEYS:
                raise GenerationError(f"{where}unknown key {key!r}: must be one of {', '.join(_KEYS)}")
            if key == "options":
                options |= _options(table, value)
            elif key == "plugins":
                found[key] = further.parse(where, value)
            elif key == "pyi":
                found[key] = _pyi(where, value)
            else:
                found[key] = (
                    _string(f"{where}{key}", value) if key in _PATHS else _strings(f"{where}{key}", value)
                )
    for key, example in (("roots", '["protos"]'), ("out", '"src"')):
        if not found.get(key):
            raise GenerationError(
                f"{key} is not set: write {key} = {example} below [tool.dubbo-mesh] in pyproject.toml, "
                f"or pass --{key.removesuffix('s')}"
            )
    return Settings(
        project=project,
        roots=_paths(project, found["roots"]),
        out=_paths(project, [found["out"]])[0],
        import_path=_paths(project, found.get("import-path", [])),
        exclude=tuple(to_text(from_setting(glob)) for glob in cast("list[str]", found.get("exclude", []))),
        options=options,
        plugins=cast("tuple[further.Plugin, ...]", found.get("plugins", ())),
        pyi=cast("str | None", found.get("pyi")),
        manifests_out=_paths(project, [found["manifests-out"]])[0] if found.get("manifests-out") else None,
    )


def has_own_table(project: Path) -> bool:
    """Whether there is a pyproject.toml with `[tool.dubbo-mesh]`.

    Raises:
        GenerationError: pyproject.toml cannot be read, or is not TOML.
    """
    tool = pyproject(project).content().get("tool")
    return isinstance(tool, dict) and "dubbo-mesh" in tool


def pyproject(project: Path) -> TomlFile:
    """The pyproject.toml of a project; an empty one if there is none.

    Raises:
        GenerationError: it cannot be read, or is not UTF-8.
    """
    path = project / "pyproject.toml"
    try:
        return TomlFile(shown(path), path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return TomlFile(shown(path), "")
    except OSError as error:
        raise GenerationError(f"cannot be read: {error.strerror}", shown(path)) from error
    except UnicodeDecodeError as error:
        raise GenerationError(f"not TOML, which must be UTF-8: {error.reason}", shown(path)) from error


def in_project(project: Path, path: Path) -> str:
    """A path as the plugin is given it, relative to the project whatever the working directory is."""
    return to_text(os.path.relpath(path, project))


def shown(path: Path) -> str:
    """A path for messages: relative if it is below the working directory."""
    try:
        return to_text(path.relative_to(Path.cwd()))
    except ValueError:
        return to_text(path)


def file_error(error: OSError) -> GenerationError:
    """The error for a file or directory that cannot be read or written; not every OSError names one."""
    reason = error.strerror or str(error)
    return GenerationError(
        reason if error.filename is None else f"{reason}: {shown(Path(os.fsdecode(error.filename)))}"
    )


class _Table(NamedTuple):
    """A table with settings.

    Attributes:
        content: its keys and values.
        name: its name in pyproject.toml.
        file: pyproject.toml; None for settings on the command line.
    """

    content: Mapping[str, object]
    name: str = ""
    file: TomlFile | None = None

    def where(self, *key: str) -> str:
        """A prefix for messages about `key`: the line that sets it, and the table."""
        if self.file is None:
            return ""
        return f"{self.file.where((*self.name.split('.'), *key))}: [{self.name}] "


def _tables(project: Path) -> list[_Table]:
    """The tables with settings in pyproject.toml; a later one takes precedence."""
    file = pyproject(project)
    content = file.content()
    tables: list[_Table] = []
    for name in ("tool.dubbo-mesh", "tool.hatch.build.hooks.dubbo-mesh"):
        table: object = content
        for key in name.split("."):
            table = cast("dict[str, object]", table).get(key, {})
            if not isinstance(table, dict):
                where = file.where(tuple(name.split(".")))
                raise GenerationError(f"{name} must be a table, but {key} is {table!r}", where)
        tables.append(_Table(without_hatch_keys(cast("dict[str, object]", table)), name, file))
    return tables


def without_hatch_keys(table: Mapping[str, object]) -> dict[str, object]:
    """A build hook's table without Hatchling's own keys."""
    hatch = {"dependencies", "require-runtime-dependencies", "require-runtime-features", "enable-by-default"}
    return {key: value for key, value in table.items() if key not in hatch}


def _options(table: _Table, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise GenerationError(
            f"{table.where('options')}options must be a table of the plugin's parameters, not {value!r}"
        )
    options: dict[str, str] = {}
    for name, given in cast("dict[str, object]", value).items():
        where = table.where("options", name)
        text = _as_parameter(given)
        if isinstance(text, bool) or not isinstance(text, str | int):
            raise GenerationError(
                f"{where}options: {name} must be a string, an integer, or a list or table of strings, "
                f"not {given!r}"
            )
        if "," in f"{name}{text}":
            raise GenerationError(
                f"{where}options: {name} must not contain a comma, which separates parameters: {given!r}"
            )
        options[name] = str(text)
    return options


def _as_parameter(given: object) -> object:
    """A list or a table of strings as one parameter of the plugin. Anything else is returned unchanged."""
    if isinstance(given, dict):
        table = cast("dict[str, object]", given)
        if not _is_strings([*table.values()]):
            return table
        given = [f"{key}={value}" for key, value in table.items()]
    return "+".join(given) if _is_strings(given) else given


def _pyi(where: str, value: object) -> str:
    if not isinstance(value, str) or value not in PYI:
        hint = ': for types by mypy-protobuf, set plugins = ["mypy"]' if value == "mypy" else ""
        raise GenerationError(f"{where}pyi must be {' or '.join(map(repr, PYI))}, not {value!r}{hint}")
    return value


def _string(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise GenerationError(f"{what} must be a string, not {value!r}")
    return value


def _strings(what: str, value: object) -> list[str]:
    if not _is_strings(value):
        raise GenerationError(f"{what} must be a list of strings, not {value!r}")
    return value


def _is_strings(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value))


def _paths(project: Path, values: object) -> tuple[Path, ...]:
    paths = (os.path.normpath(project / from_setting(value)) for value in cast("list[str]", values))
    return tuple(map(Path, dict.fromkeys(paths)))
