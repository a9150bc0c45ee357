"""`python -m dubbo_mesh doctor`."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 1 if the doctor found something wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m dubbo_mesh", description="Tools for running in the mesh."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser(
        "doctor",
        help="reports what this process would dial and why, and what is wrong",
        description="Checks the environment, the sidecar and the health service as generated code would find "
        "them. Reports what is wrong and what to do about it; exits with 1 if anything is.",
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
    doctor.add_argument("--json", action="store_true", help="print findings as JSON")
    doctor.add_argument(
        "--timeout",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="how long to wait for each answer; default 2",
    )
    given = parser.parse_args(arguments)

    from ._doctor.command import examine
    from ._doctor.render import render_json, render_text

    findings = examine(given.targets, given.server, given.timeout)
    print((render_json if given.json else render_text)(findings))
    return 1 if any(finding.status == "failed" for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
