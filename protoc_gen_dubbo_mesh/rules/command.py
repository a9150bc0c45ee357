"""`protoc-gen-dubbo-mesh rules`: Dubbo's routing rules, translated to Istio's.

Its sub-commands are in `commands`. What reads YAML is loaded when one of them runs, since it is an extra.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .commands import check, convert, explain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

SUMMARY = "translate Dubbo's routing rules to Istio's, and compare both"

DESCRIPTION = """\
Translates Dubbo's routing rules and configurators to Istio's resources.

It says of each line whether Istio does the same, what differs, or why it cannot
be translated. It needs a parser of YAML:

  pip install 'protoc-gen-dubbo-mesh[rules]'
"""

SUB_COMMANDS: Mapping[str, ModuleType] = {"check": check, "convert": convert, "explain": explain}
"""The sub-commands, in the order in which one needs them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands and their arguments."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="rules_command", required=True)
    for name, command in SUB_COMMANDS.items():
        command.add_arguments(
            commands.add_parser(
                name,
                help=command.SUMMARY,
                description=command.DESCRIPTION,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
        )


def run(arguments: argparse.Namespace) -> int:
    """Runs a sub-command.

    Returns:
        The exit status: 0, 1 if lines cannot be translated, or 2 for errors in files or arguments.
    """
    from ..console import print_error, print_status
    from ..errors import GenerationError

    try:
        status: int = SUB_COMMANDS[arguments.rules_command].run(arguments)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("ruamel"):
            raise
        print_status("a parser of YAML is not installed: pip install 'protoc-gen-dubbo-mesh[rules]'")
        return 2
    except GenerationError as error:
        print_error(error)
        return 2
    return status
