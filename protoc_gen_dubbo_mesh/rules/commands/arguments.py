"""Arguments that several sub-commands have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ...console import print_status
from ..dialects import DEFAULT, DIALECTS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..dialects import Dialect


def add_rules(parser: ArgumentParser) -> None:
    """Declares the files of rules, and the version of Dubbo."""
    parser.add_argument(
        "rules", nargs="+", metavar="RULES", help="a YAML file of rules; it may have several documents"
    )
    parser.add_argument(
        "--dubbo",
        metavar="VERSION",
        choices=[*DIALECTS],
        help=f"the version that runs the rules: {', '.join(DIALECTS)}; default: {DEFAULT.name}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_hosts(parser: ArgumentParser) -> None:
    """Declares from where it is known which application provides which service."""
    parser.add_argument("--world", metavar="FILE", help="a YAML file of instances and requests")
    parser.add_argument(
        "--protos",
        action="append",
        default=[],
        metavar="DIR",
        help="a directory of protos, or a descriptor set: they name the methods; may be repeated",
    )


def add_untagged(parser: ArgumentParser) -> None:
    """Declares the label of pods without a tag."""
    parser.add_argument(
        "--untagged",
        type=pair,
        metavar="KEY=VALUE",
        help="the label of pods that have no tag, to which requests without a tag go",
    )


def dialect(arguments: Namespace) -> Dialect:
    """The version of Dubbo. The user is told which, on standard error, since versions disagree."""
    found = DIALECTS[arguments.dubbo] if arguments.dubbo else DEFAULT
    source = "" if arguments.dubbo else ", the default"
    others = "" if arguments.dubbo else "; --dubbo chooses another version"
    print_status(f"rules are read as {found.release} reads them ({found.name}{source}){others}")
    return found


def pair(text: str) -> tuple[str, str]:
    """Parses `KEY=VALUE`.

    Raises:
        ArgumentTypeError: it has no key or no equals sign.
    """
    key, equal, value = text.partition("=")
    if not key or not equal:
        raise argparse.ArgumentTypeError(f"{text!r}: must be KEY=VALUE")
    return key, value
