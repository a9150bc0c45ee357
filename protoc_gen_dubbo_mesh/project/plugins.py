"""Further protoc plugins that a project names: `plugins = ["mypy", { name = "doc", opt = ["html"] }]`.

The name is that of protoc's flag `--NAME_out`. `grpc_python` is built into protoc; all others are programs
named `protoc-gen-NAME`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import sysconfig
from importlib.metadata import distributions, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from ..errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import Distribution

ALWAYS_RUN = ("python", "pyi", "dubbo-mesh")
_BUILT_IN = ("grpc_python",)
_DISTRIBUTIONS = {"mypy": "mypy-protobuf", "mypy_grpc": "mypy-protobuf"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FLAGS = ("descriptor_set", "dependency")
"""What `--NAME_out` is too, but not a plugin."""


class Plugin(NamedTuple):
    """A plugin as the settings name it.

    Attributes:
        name: the NAME of protoc's flag `--NAME_out`.
        opt: its parameters, as in protoc's `--NAME_opt`.
    """

    name: str
    opt: tuple[str, ...] = ()


class Program(NamedTuple):
    """A plugin that can be run.

    Attributes:
        name: as in `Plugin`.
        opt: as in `Plugin`.
        executable: the program; None if it is built into protoc.
        version: identifies what would run, for the stamp.
    """

    name: str
    opt: tuple[str, ...]
    executable: Path | None
    version: str


def parse(where: str, value: object) -> tuple[Plugin, ...]:
    """Reads the value of the key `plugins`.

    Args:
        where: a prefix for messages.
        value: a list of names, and of tables with `name` and `opt`.

    Raises:
        GenerationError: the value is malformed, or a plugin is named twice or always runs.
    """
    if not isinstance(value, list):
        raise GenerationError(f'{where}plugins must be a list, such as ["mypy"], not {value!r}')
    plugins = [_plugin(where, item) for item in cast("list[object]", value)]
    for index, plugin in enumerate(plugins):
        if plugin.name in ALWAYS_RUN:
            raise GenerationError(f"{where}plugins must not name {plugin.name}, which always runs: remove it")
        if plugin.name in {other.name for other in plugins[:index]}:
            raise GenerationError(f"{where}plugins must not name {plugin.name} twice: remove one")
    return tuple(plugins)


def from_argument(argument: str) -> dict[str, object]:
    """The value of `--plugin`, `NAME[=OPT,...]`, as a table of the key `plugins`."""
    name, _, opt = argument.partition("=")
    return {"name": name, "opt": opt.split(",") if opt else []}


def find(plugins: Iterable[Plugin]) -> tuple[Program, ...]:
    """Finds the programs: of the running Python's environment first, as builds are isolated; then on PATH.

    Raises:
        GenerationError: there is no such program.
    """
    return tuple(_find(plugin) for plugin in plugins)


def _plugin(where: str, item: object) -> Plugin:
    table = cast("dict[str, object]", item if isinstance(item, dict) else {"name": item})
    for key in table:
        if key not in Plugin._fields:
            raise GenerationError(
                f"{where}plugins: unknown key {key!r}: must be one of {', '.join(Plugin._fields)}"
            )
    name, opt = table.get("name"), table.get("opt", [])
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _FLAGS:
        raise GenerationError(f"{where}plugins must be names, each the NAME of --NAME_out, not {name!r}")
    texts = cast("list[object]", [opt] if isinstance(opt, str) else opt)
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise GenerationError(
            f"{where}plugins: opt of {name} must be a string or a list of strings, not {opt!r}"
        )
    return Plugin(name, tuple(cast("list[str]", texts)))


def _find(plugin: Plugin) -> Program:
    name, opt = plugin
    if name in _DISTRIBUTIONS and "quiet" not in opt:
        opt = (*opt, "quiet")  # it reports each file that it writes, which would pass for warnings
    if name in _BUILT_IN:
        return Program(name, opt, None, "")  # part of grpcio-tools, whose version the stamp has
    program = f"protoc-gen-{name}"
    installed = _installed(program)
    if installed is not None:
        return Program(name, opt, *installed)
    beside = (os.path.dirname(sys.executable), sysconfig.get_path("scripts"))  # noqa: PTH120 - a search path
    found = shutil.which(program, path=os.pathsep.join(beside)) or shutil.which(program)
    if found is None:
        package = _DISTRIBUTIONS.get(name)
        how = f"pip install {package}" if package else "install it"
        raise GenerationError(
            f"plugins: the program {program} was found neither beside {sys.executable} nor on PATH: {how}, "
            "and if builds generate, add it to requires in [build-system]"
        )
    # protoc runs in another directory.
    executable = Path(found).absolute()
    return Program(name, opt, executable, _version_of(executable))


def _installed(program: str) -> tuple[Path, str] | None:
    """The script of a distribution that this Python can import; in an isolated build it may be anywhere."""
    for entry in entry_points(group="console_scripts", name=program):
        if entry.dist is not None:
            for file in entry.dist.files or ():
                path = Path(os.path.normpath(str(entry.dist.locate_file(file))))
                if path.stem == program and path.suffix in {"", ".exe"} and path.is_file():
                    return path, _version(entry.dist)
    return None


def _version_of(executable: Path) -> str:
    """The version of a program of another environment, such as pipx', or else a digest of the program.

    Scripts stay the same when their distribution is upgraded.
    """
    environment = executable.resolve().parents[1]
    libraries = [*environment.glob("lib/python3*/site-packages"), environment / "Lib" / "site-packages"]
    for distribution in distributions(path=[str(path) for path in libraries]):
        if any(entry.name == executable.stem for entry in distribution.entry_points):
            return _version(distribution)
    return hashlib.sha256(executable.read_bytes()).hexdigest()


def _version(distribution: Distribution) -> str:
    return f"{distribution.metadata['Name']} {distribution.version}"
