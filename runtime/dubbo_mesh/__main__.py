"""The command `dubbo-mesh`, which is also `python -m dubbo_mesh`."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from . import __version__
from ._command import completion
from ._command.console import Parser, run


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
    doctor = commands.add_parser(
        "doctor",
        help="report what this process would dial and why, and what is wrong",
        description="Checks the environment, the sidecar and the health service as generated code would find "
        "them. Reports what is wrong and what to do about it; exits with 1 if anything is.",
        allow_abbrev=False,
    )
    doctor.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="what to call: APP, APP:PORT, APP.NAMESPACE:PORT, or a generated module",
    )
    doctor.add_argument(
        "--server",
        metavar="HOST:PORT",
        help="the address of this application's server: its health service and probes are checked",
    )
    doctor.add_argument(
        "--config-dump",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="read the sidecar's configuration from a file, saved from /config_dump or /clusters?format=json "
        "of the admin endpoint, or by istioctl proxy-config -o json; can be repeated",
    )
    doctor.add_argument(
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="NAME=VALUE",
        help="a header that calls have, such as dubbo.tag=gray, for routes that go by it; can be repeated",
    )
    doctor.add_argument(
        "--call",
        action="append",
        default=[],
        metavar="SERVICE/RPC",
        help="call an rpc with an empty request, and report how long it takes; can be repeated",
    )
    doctor.add_argument(
        "--grace",
        type=_seconds,
        metavar="SECONDS",
        help="the pod's terminationGracePeriodSeconds, to compare how long the server takes to stop with it",
    )
    doctor.add_argument("--json", action="store_true", help="print findings as JSON")
    doctor.add_argument(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long all checks may take together; default 10",
    )
    scripts = commands.add_parser(
        "completion",
        help=completion.SUMMARY,
        description=completion.DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    scripts.add_argument("shell", choices=completion.SHELLS, help="the shell that the script is for")
    return top


def answer(given: argparse.Namespace) -> int:
    """Runs the command that the arguments name; returns its exit status."""
    if given.command == "completion":
        sys.stdout.write(completion.path_of(given.shell).read_text(encoding="utf-8"))
        return 0
    from ._doctor.command import examine
    from ._doctor.examination import Examination
    from ._doctor.render import render_json, render_text

    examination = Examination(
        targets=given.targets,
        server=given.server,
        timeout=given.timeout,
        config_dumps=given.config_dump,
        headers=given.header,
        calls=given.call,
        termination_grace_period=given.grace,
    )
    findings = list(examine(examination))
    print((render_json if given.json else render_text)(findings))
    return 1 if any(finding.status == "failed" for finding in findings) else 0


def _header(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {given!r}")
    return name.lower(), value


def _seconds(given: str) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, at most 86400, not {given!r}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
