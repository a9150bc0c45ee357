"""The arguments with which commands for whole projects set or override settings."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import GenerationError
from .plugins import from_argument
from .settings import PATH_PARAMETERS, PYI, read

if TYPE_CHECKING:
    from .settings import Settings


def add_project(parser: argparse.ArgumentParser) -> None:
    """Declares the argument that selects the project."""
    parser.add_argument(
        "--project",
        metavar="DIR",
        default=".",
        help="the directory of pyproject.toml; default: the current directory",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments that `settings` reads."""
    parser.add_argument(
        "--root", action="append", metavar="DIR", help="generate from all protos below DIR; can be repeated"
    )
    parser.add_argument("--out", metavar="DIR", help="the output directory, as protoc's --python_out")
    parser.add_argument(
        "--manifests-out", metavar="DIR", help="the output directory of YAML (emit); default: that of --out"
    )
    parser.add_argument(
        "--import-path", action="append", metavar="DIR", help="search DIR for imports, too; can be repeated"
    )
    parser.add_argument(
        "--exclude",
        action="append",
        metavar="GLOB",
        help="exclude the protos whose paths below a root match; can be repeated",
    )
    parser.add_argument(
        "--option",
        action=_AddOption,
        metavar="NAME=VALUE",
        default={},
        help="set a parameter of the plugin, such as app=demo or emit=python+istio; can be repeated",
    )
    parser.add_argument(
        "--plugin",
        action="append",
        metavar="NAME[=OPT,...]",
        help="also run the protoc plugin of the flag --NAME_out; can be repeated",
    )
    parser.add_argument(
        "--pyi",
        choices=PYI,
        help="what writes the .pyi files of messages; default: protoc, or none if the plugin mypy is named",
    )
    add_project(parser)


def project(arguments: argparse.Namespace) -> Path:
    """The project's directory, absolute.

    Raises:
        GenerationError: it does not exist.
    """
    directory = Path(os.path.abspath(arguments.project))  # noqa: PTH100 - resolve() would replace links
    if not directory.is_dir():
        raise GenerationError(f"--project={arguments.project} is not a directory")
    return directory


def settings(arguments: argparse.Namespace) -> Settings:
    """The settings of the project; those in the arguments take precedence.

    Raises:
        GenerationError: there is no such project, or a key is unknown, missing or malformed.
    """
    return read(project(arguments), _given(arguments))


def _given(arguments: argparse.Namespace) -> dict[str, object]:
    """The settings on the command line, whose paths are relative to the working directory."""
    options = {
        name: str(Path(value).absolute()) if name in PATH_PARAMETERS else value
        for name, value in arguments.option.items()
    }
    given: dict[str, object] = {"options": options}
    if arguments.root:
        given["roots"] = [str(Path(root).absolute()) for root in arguments.root]
    if arguments.import_path:
        given["import-path"] = [str(Path(path).absolute()) for path in arguments.import_path]
    if arguments.out:
        given["out"] = str(Path(arguments.out).absolute())
    if arguments.manifests_out:
        given["manifests-out"] = str(Path(arguments.manifests_out).absolute())
    if arguments.exclude:
        given["exclude"] = arguments.exclude
    if arguments.plugin:
        given["plugins"] = [from_argument(plugin) for plugin in arguments.plugin]
    if arguments.pyi:
        given["pyi"] = arguments.pyi
    return given


class _AddOption(argparse.Action):
    """Collects `NAME=VALUE` in a dict."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        name, equals, value = values.partition("=")
        if not equals:
            raise argparse.ArgumentError(self, f"must be NAME=VALUE, not {values!r}")
        options = getattr(namespace, self.dest)
        if name in options:
            raise argparse.ArgumentError(self, f"{name} is given twice")
        setattr(namespace, self.dest, {**options, name: value})
