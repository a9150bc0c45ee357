"""`protoc-gen-dubbo-mesh rules check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import arguments as shared

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "say of each line whether Istio can do the same"

DESCRIPTION = """\
Says of each line of rules what becomes of it in Istio. Nothing is written.

exact        every request goes where Dubbo would have sent it
approximate  there are differences, which are named
inactive     it never had an effect in this version of Dubbo
cannot       Istio has nothing for it; what to do instead is said

The exit status is 0, 1 if there are lines that cannot be translated, or 2 for
errors in the files.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declares the arguments."""
    shared.add_rules(parser)
    shared.add_hosts(parser)


def run(arguments: Namespace) -> int:
    """Runs the command; returns its exit status."""
    from ...console import print_output, print_status
    from ..reporting import as_json, as_text
    from ..translating import translate

    dialect = shared.dialect(arguments)
    found = translate(arguments.rules, dialect, arguments.world, arguments.protos, apps={}, guess_hosts=True)
    if arguments.json:
        sys.stdout.write(as_json.document(dialect, found.statements, found.problems, found.hosts))
    else:
        print_output(f"{line}\n" for line in as_text.report(found.statements, found.hosts))
    for problem in found.problems:
        print_status(str(problem))
    return found.status
