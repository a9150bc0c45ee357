"""`protoc-gen-dubbo-mesh rules convert`."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from . import arguments as shared

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

_ACCOUNT = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?")

SUMMARY = "translate rules to Istio's resources"

DESCRIPTION = """\
Translates rules to Istio's resources, and says of each line what became of it.

Writes a file for each application whose services the rules are for. Which
application provides a service is known from a world, from protos, or from
--app. Nothing is written if there are lines that cannot be translated, unless
--keep-going leaves them out.

The exit status is 0, 1 if there are lines that cannot be translated, or 2 for
errors in files and arguments.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declares the arguments."""
    shared.add_rules(parser)
    shared.add_hosts(parser)
    parser.add_argument(
        "--app",
        action="append",
        default=[],
        type=shared.pair,
        metavar="SERVICE=APP",
        help="the application that provides a service; may be repeated",
    )
    shared.add_untagged(parser)
    parser.add_argument(
        "--account",
        action="append",
        default=[],
        type=_account,
        metavar="APP=NAMESPACE/ACCOUNT",
        help="the Kubernetes service account of an application that calls, so that lines that deny can be "
        "AuthorizationPolicies; may be repeated",
    )
    parser.add_argument("--keep-going", action="store_true", help="leave out lines that cannot be translated")
    parser.add_argument(
        "--force", action="store_true", help="also replace files that this command did not write"
    )
    parser.add_argument(
        "-o", "--out", required=True, metavar="DIR", help="the directory to write to; it is created"
    )


def run(arguments: Namespace) -> int:
    """Runs the command; returns its exit status."""
    from ...console import print_output, print_status
    from ..reporting import as_json, as_text
    from ..translating import translate
    from ..writing import write

    dialect = shared.dialect(arguments)
    found = translate(
        arguments.rules,
        dialect,
        arguments.world,
        arguments.protos,
        apps=dict(arguments.app),
        untagged=arguments.untagged,
        accounts=dict(arguments.account),
    )
    status = found.status
    written: list[str] = []
    if status == 0 or (status == 1 and arguments.keep_going):
        written = write(found.hosts, arguments.out, replace=arguments.force)
    if arguments.json:
        sys.stdout.write(as_json.document(dialect, found.statements, found.problems, found.hosts, written))
    else:
        print_output(f"{line}\n" for line in as_text.report(found.statements, found.hosts))
        print_output(f"wrote {path}\n" for path in written)
    sys.stdout.flush()
    for problem in found.problems:
        print_status(str(problem))
    if not written:
        print_status(_nothing_written(status, keep_going=arguments.keep_going))
    return status


def _account(text: str) -> tuple[str, str]:
    app, account = shared.pair(text)
    if not _ACCOUNT.fullmatch(account):
        raise ArgumentTypeError(f"{text!r}: must be APP=NAMESPACE/ACCOUNT")
    return app, account


def _nothing_written(status: int, *, keep_going: bool) -> str:
    if status == 2:
        return "nothing was written: correct the files first"
    if status == 1 and not keep_going:
        return (
            "nothing was written: there are lines that cannot be translated; "
            "--keep-going leaves them out, which changes where requests go"
        )
    return "nothing was written: no line needs a resource"
