"""`protoc-gen-dubbo-mesh generate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import GenerationError
from .progress import Progress
from .run import check, update
from .settings import PATH_OPTIONS, Settings, read
from .tree import diff

_PROGRAM = "protoc-gen-dubbo-mesh generate"

_DESCRIPTION = """\
Generates messages (_pb2.py, .pyi) and mesh stubs and servicers (_mesh.py) from all protos of a project.
Settings come from [tool.dubbo-mesh] in pyproject.toml; arguments win over them.
"""


def generate(arguments: list[str]) -> int:
    """Runs the command; returns its exit status: 0, 1 if stale or on errors, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(_PROGRAM, description=_DESCRIPTION, allow_abbrev=False)
    parser.add_argument(
        "--root", action="append", metavar="DIR", help="generate from the protos below it; can be repeated"
    )
    parser.add_argument("--out", metavar="DIR", help="the output directory, as protoc's --python_out")
    parser.add_argument("--import-path", action="append", metavar="DIR", help="search it for imports too")
    parser.add_argument(
        "--exclude",
        action="append",
        metavar="GLOB",
        help="exclude protos: a glob of their names below a root",
    )
    parser.add_argument(
        "--option",
        action="append",
        metavar="NAME=VALUE",
        default=[],
        help="a parameter of the plugin, such as app=demo",
    )
    parser.add_argument(
        "--project",
        metavar="DIR",
        default=".",
        help="the directory of pyproject.toml; default: the current one",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; if a run would, print a diff and exit with 1"
    )
    parser.add_argument(
        "--fail-on-change", action="store_true", help="exit with 1 if anything was written or removed"
    )
    asked = parser.parse_args(arguments)
    options: dict[str, str] = {}
    for option in asked.option:
        name, equals, value = option.partition("=")
        if not equals:
            parser.error(f"--option {option!r} is not NAME=VALUE")
        if name in options:
            parser.error(f"--option {name} is given twice")
        options[name] = value
    try:
        settings = read(Path(asked.project), _given(asked, options))
        return _check(settings) if asked.check else _update(settings, fail_on_change=asked.fail_on_change)
    except GenerationError as error:
        return _say(str(error), 1)


def _given(asked: argparse.Namespace, options: dict[str, str]) -> dict[str, object]:
    """The settings on the command line, whose paths are relative to the working directory."""
    for name in PATH_OPTIONS:
        if name in options:
            options[name] = str(Path(options[name]).absolute())
    given: dict[str, object] = {"options": options}
    if asked.root:
        given["roots"] = [str(Path(root).absolute()) for root in asked.root]
    if asked.import_path:
        given["import-path"] = [str(Path(path).absolute()) for path in asked.import_path]
    if asked.out:
        given["out"] = str(Path(asked.out).absolute())
    if asked.exclude:
        given["exclude"] = asked.exclude
    return given


def _update(settings: Settings, *, fail_on_change: bool) -> int:
    outcome = update(settings, Progress(sys.stderr))
    for warning in outcome.warnings:
        _say(warning)
    return _say(outcome.summary, int(fail_on_change and outcome.changed))


def _check(settings: Settings) -> int:
    stale = check(settings, Progress(sys.stderr))
    for warning in stale.warnings:
        _say(warning)
    sys.stdout.writelines(diff(stale.differences))
    sys.stdout.flush()
    for stray in stale.strays:
        _say(stray)
    if stale.differences:
        return _say(f"{len(stale.differences)} files are stale: run protoc-gen-dubbo-mesh generate", 1)
    return 1 if stale.strays else 0


def _say(line: str, status: int = 0) -> int:
    sys.stderr.write(f"{line}\n")
    return status
