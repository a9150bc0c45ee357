"""The arguments of `dubbo-mesh doctor` and `dubbo-mesh explain`.

This is loaded for every command, and loads neither grpc nor the checks.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .examination import Examination
    from .verdict import Verdict

SUMMARY = "report what would happen to the calls of this process, and what is wrong"

DESCRIPTION = """\
Checks what would happen to the calls of this process: where they would go, what the sidecar would do with
them, and whether its own server is healthy. Names each problem and what to do about it. It only looks, and
changes nothing; it calls rpcs only with --call.

The exit status is 0 if all is well, 1 if something is wrong, 2 for wrong arguments, 130 after Ctrl-C, 141 if
the reader of a pipe has left, and 143 after SIGTERM.
"""

EXPLAIN_SUMMARY = "explain a problem that the doctor found, or list all that it knows"

EXPLAIN_DESCRIPTION = """\
Explains problems that the doctor finds: what they mean for calls, and what to do about them. Without an
argument, lists all.
"""

_SEVERITIES = ("error", "warning")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `doctor`."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="what to call: APP, APP:PORT, APP.NAMESPACE:PORT, a module or MODULE:STUB, or an installed "
        "package, for all generated modules in it",
    )
    parser.add_argument(
        "--server",
        metavar="ADDRESS",
        help="where this application's server listens, to check it: HOST:PORT, unix:PATH, several with "
        "commas, or auto for DUBBO_MESH_LISTEN or the ports of its services",
    )
    parser.add_argument(
        "--config-dump",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="read the sidecar's configuration from a file, saved from /config_dump or /clusters?format=json "
        "of the admin endpoint, or by istioctl proxy-config -o json; can be repeated",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="NAME=VALUE",
        help="a header that calls have, such as dubbo.tag=gray, for routes that go by it; can be repeated",
    )
    parser.add_argument(
        "--call",
        action="append",
        default=[],
        metavar="SERVICE/RPC",
        help="call an rpc of a target with an empty request, if it is marked as idempotent, and report how "
        "long it takes, through the sidecar and past it; can be repeated",
    )
    parser.add_argument(
        "--grace",
        type=_seconds,
        metavar="SECONDS",
        help="the pod's terminationGracePeriodSeconds, to compare how long the server takes to stop with it",
    )
    parser.add_argument("--json", action="store_true", help="print findings as JSON")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long all checks may take together; default 10",
    )
    once = parser.add_mutually_exclusive_group()  # what may not be repeated, and what repeats
    once.add_argument(
        "--call-anyway",
        action="store_true",
        help="make the calls of --call even if the rpcs are not marked as idempotent; these are called once",
    )
    once.add_argument(
        "--wait",
        type=_seconds,
        metavar="SECONDS",
        help="check again and again until nothing is wrong, for at most so long",
    )
    parser.add_argument(
        "--fail-on",
        choices=_SEVERITIES,
        default="error",
        help="the severity from which on a problem makes the exit status 1; default error",
    )
    parser.add_argument(
        "--ignore",
        action="extend",
        default=[],
        type=_ids,
        metavar="ID",
        help="a problem that does not count, such as DM302, or several with commas; can be repeated",
    )
    parser.add_argument(
        "--explain",
        action="extend",
        default=[],
        type=_ids,
        metavar="ID",
        help="check nothing, and explain a problem, as `dubbo-mesh explain` does",
    )


def add_explain_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `explain`."""
    parser.add_argument("ids", nargs="*", type=_ids, metavar="ID", help="a problem, such as DM301")


def explained_ids(given: argparse.Namespace) -> list[str] | None:
    """The problems that are to be explained; None if the command is another one."""
    if given.command == "explain":
        return [id for ids in given.ids for id in ids]
    return given.explain or None


def examination_of(given: argparse.Namespace) -> Examination:
    """What `doctor` is asked to look at."""
    from .examination import Examination

    return Examination(
        targets=given.targets,
        server=given.server,
        timeout=given.timeout,
        config_dumps=given.config_dump,
        headers=given.header,
        calls=given.call,
        call_anyway=given.call_anyway,
        termination_grace_period=given.grace,
    )


def verdict_of(given: argparse.Namespace) -> Verdict:
    """By what the findings of `doctor` are judged."""
    from .verdict import Verdict

    return Verdict(fail_on=given.fail_on, ignored=frozenset(given.ignore))


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


def _ids(given: str) -> list[str]:
    """The ids in a list with commas.

    Raises:
        argparse.ArgumentTypeError: one of them is not in the catalogue.
    """
    from .catalogue import CATALOGUE, nearest

    found: list[str] = []
    for id in filter(None, (each.strip().upper() for each in given.split(","))):
        id = f"DM{id}" if id.isdecimal() else id
        if id not in CATALOGUE:
            similar = nearest(id)
            hint = f"did you mean {similar}?" if similar else "dubbo-mesh explain lists all"
            raise argparse.ArgumentTypeError(f"there is no problem {id[:40]!r}: {hint}")
        found.append(id)
    return found
