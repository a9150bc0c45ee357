"""The command `dubbo-mesh`, which is also `python -m dubbo_mesh`."""

from __future__ import annotations

import argparse
import os
import sys

from . import __version__
from ._command import completion
from ._command.console import Parser, run
from ._command.terminal import width_of
from ._doctor import arguments as doctor


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line.

    Returns:
        The exit status: 1 if the doctor found something wrong, 2 if an argument is.
    """
    return run(lambda: answer(parser().parse_args(arguments)))


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = Parser("dubbo-mesh", description="Tools for running in the mesh.", allow_abbrev=False)
    top.add_argument(
        "--version",
        action="version",
        version=f"%(prog)s {__version__}",
        help="show the version and exit",
    )
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")

    def command(name: str, summary: str, description: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=summary,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    doctor.add_arguments(command("doctor", doctor.SUMMARY, doctor.DESCRIPTION))
    doctor.add_explain_arguments(command("explain", doctor.EXPLAIN_SUMMARY, doctor.EXPLAIN_DESCRIPTION))
    scripts = command("completion", completion.SUMMARY, completion.DESCRIPTION)
    scripts.add_argument("shell", choices=completion.SHELLS, help="the shell that the script is for")
    return top


def answer(given: argparse.Namespace) -> int:
    """Runs the command that the arguments name; returns its exit status."""
    if given.command == "completion":
        sys.stdout.write(completion.path_of(given.shell).read_text(encoding="utf-8"))
        return 0
    ids = doctor.explained_ids(given)
    if ids is not None:
        from ._doctor.report.explanation import explained

        sys.stdout.write(f"{explained(ids, width=width_of(sys.stdout))}\n")
        return 0
    # grpc's core writes to standard error what a control plane did wrong, which findings say as well.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from ._doctor.program import run as run_doctor  # which loads grpc

    return run_doctor(
        doctor.examination_of(given), doctor.verdict_of(given), wait=given.wait, json=given.json
    )


if __name__ == "__main__":
    sys.exit(main())
