"""`protoc-gen-dubbo-mesh init`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...console import print_error, print_output
from ...errors import GenerationError
from .. import arguments as project_arguments

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .buf import Workspace
    from .protos import Proto

SUMMARY = "set up generation for the protos of an existing project"

DESCRIPTION = """\
Sets up the generation of code for the protos of an existing project.

Finds the protos, their roots, packages and services, and the Python code.
Prints what it found, and writes minimal settings: [tool.dubbo-mesh] in
pyproject.toml, or buf.gen.yaml if the project uses buf. Existing settings are
never changed.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declares the arguments."""
    project_arguments.add_project(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be written, and write nothing"
    )


def run(arguments: Namespace) -> int:
    """Runs the command; returns its exit status: 1 if there are no protos and on errors."""
    try:
        _init(project_arguments.project(arguments), write=not arguments.dry_run)
    except GenerationError as error:
        print_error(error)
        return 1
    return 0


def _init(project: Path, *, write: bool) -> None:
    from .. import settings
    from . import buf, protos
    from .code import table_at

    file = settings.pyproject(project)
    pyproject = file.content()
    tool = table_at(pyproject, "tool")
    if "dubbo-mesh" in tool or "dubbo-mesh" in table_at(tool, "hatch", "build", "hooks"):
        _print([f"{file.path} already has settings; nothing was changed"])
        return
    found = protos.find(project)
    if not found:
        raise GenerationError(
            f"there is no .proto file below {settings.shown(project)}, apart from files that git ignores: "
            "pass the directory of the project as --project"
        )
    workspace = buf.find(project, found)
    if workspace is None:
        _init_pyproject(project, pyproject, found, write=write)
    else:
        _init_buf(project, pyproject, found, workspace, write=write)


def _init_pyproject(
    project: Path, pyproject: dict[str, object], found: Sequence[Proto], *, write: bool
) -> None:
    from ..settings import shown
    from .code import examine
    from .report import builds, findings, steps
    from .roots import infer
    from .table import append, table

    layout = infer(project, found)
    code = examine(project, pyproject, layout)
    _print(findings(layout, code))
    file = project / "pyproject.toml"
    text = table(layout, code)
    if write:
        append(file, text)
    _print_written(shown(file), text, write=write)
    where = "below [tool.dubbo-mesh.options]"
    _print_next_steps(
        (
            *steps(layout, code, command="protoc-gen-dubbo-mesh generate", where_app_is_set=where),
            *builds(code),
        )
    )


def _init_buf(
    project: Path, pyproject: dict[str, object], found: list[Proto], workspace: Workspace, *, write: bool
) -> None:
    from ..settings import shown
    from . import buf
    from .code import examine
    from .report import findings, options_for_buf, steps
    from .roots import configured

    layout = configured(found, workspace.modules)
    code = examine(project, pyproject, layout)
    _print(findings(layout, code))
    existing = buf.existing_template(project, workspace)
    if existing is not None:
        text = (project / existing).read_text(encoding="utf-8", errors="replace")
        if "dubbo-mesh" in text:
            _print([f"{shown(project / existing)} already has the plugin; nothing was changed"])
            return
        _print([f"{shown(project / existing)} exists and was not changed: add below its plugins:", ""])
        _print(buf.addition(text, code).splitlines())
    else:
        file = project / buf.TEMPLATE
        text = buf.template(workspace, code)
        if write:
            try:
                file.write_text(text, encoding="utf-8")
            except OSError as error:
                raise GenerationError(f"cannot be written: {error.strerror}", shown(file)) from error
        _print_written(shown(file), text, write=write)
    where = "in opt of the plugin"
    _print_next_steps(
        (*options_for_buf(found), *steps(layout, code, command="buf generate", where_app_is_set=where))
    )


def _print(lines: Iterable[str]) -> None:
    print_output(f"{line}\n" for line in lines)


def _print_written(file: str, text: str, *, write: bool) -> None:
    _print(["", f"{'written to' if write else 'would be written to'} {file}:", ""])
    _print(text.splitlines())


def _print_next_steps(steps: Iterable[str]) -> None:
    _print(["", "next:", *(f"* {step}" for step in steps)])
