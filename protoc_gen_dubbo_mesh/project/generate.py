"""`protoc-gen-dubbo-mesh generate`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..console import print_error, print_output, print_status
from ..errors import GenerationError
from . import arguments as project_arguments

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from .settings import Settings

SUMMARY = "run protoc and the plugin over all protos of a project"

DESCRIPTION = """\
Generates messages, stubs and servicers from all protos of a project.

Writes _pb2.py, .pyi and _mesh.py, and YAML for the mesh if the parameter emit
asks for it. The settings are in [tool.dubbo-mesh] in pyproject.toml; arguments
take precedence over them.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declares the arguments."""
    project_arguments.add_settings(parser)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; if files are stale, print a diff and exit with 1"
    )
    parser.add_argument(
        "--fail-on-change", action="store_true", help="exit with 1 if anything was written or removed"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="also replace files that are not recognized as generated"
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="generate again whenever a proto, pyproject.toml or a config file changes, until Ctrl-C",
    )


def run(arguments: Namespace) -> int:
    """Runs the command; returns its exit status: 1 for stale output and errors, 2 for wrong arguments."""
    if arguments.watch:
        return _watch(arguments)
    try:
        settings = project_arguments.settings(arguments)
        if arguments.check:
            return _check(settings, overwrite=arguments.overwrite)
        return _update(settings, fail_on_change=arguments.fail_on_change, overwrite=arguments.overwrite)
    except GenerationError as error:
        print_error(error)
        return 1


def _watch(arguments: Namespace) -> int:
    if arguments.check or arguments.fail_on_change:
        print_status("--watch cannot be combined with --check or --fail-on-change")
        return 2
    from functools import partial
    from pathlib import Path

    from .watch import watch

    read = partial(project_arguments.settings, arguments)
    return watch(Path(arguments.project), read, overwrite=arguments.overwrite)


def _update(settings: Settings, *, fail_on_change: bool, overwrite: bool) -> int:
    from .progress import Progress
    from .run import update

    outcome = update(settings, Progress(sys.stderr), overwrite=overwrite)
    for line in (*outcome.warnings, outcome.summary):
        print_status(line)
    return int(fail_on_change and outcome.changed)


def _check(settings: Settings, *, overwrite: bool) -> int:
    from .progress import Progress
    from .run import check
    from .tree import diff

    stale = check(settings, Progress(sys.stderr), overwrite=overwrite)
    for warning in stale.warnings:
        print_status(warning)
    print_output(diff(stale.differences))
    sys.stdout.flush()
    for stray in stale.strays:
        print_status(stray)
    if stale.differences:
        count = len(stale.differences)
        print_status(
            f"{count} {'file is' if count == 1 else 'files are'} stale: run protoc-gen-dubbo-mesh generate"
        )
    return int(bool(stale.differences or stale.strays))
