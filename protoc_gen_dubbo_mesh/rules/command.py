"""`protoc-gen-dubbo-mesh rules`: Dubbo's routing rules, translated to Istio's.

Its sub-commands are in `commands`. What reads YAML is loaded when one of them runs, since it is an extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import subcommands
from .commands import check, convert, explain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from ..subcommands import Command

SUMMARY = "translate Dubbo's routing rules to Istio's, and compare both"

DESCRIPTION = """\
Translates Dubbo's routing rules and configurators to Istio's resources.

It says of each line whether Istio does the same, what differs, or why it cannot
be translated. It needs a parser of YAML:

  pip install 'protoc-gen-dubbo-mesh[rules]'
"""

SUB_COMMANDS: Mapping[str, Command] = {"check": check, "convert": convert, "explain": explain}
"""The sub-commands, in the order in which one needs them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands and their arguments."""
    subcommands.add(parser, SUB_COMMANDS, "rules_command", required=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs a sub-command.

    Returns:
        The exit status: 0, 1 if lines cannot be translated, or 2 for errors in files or arguments.
    """
    from ..console import print_error, print_status
    from ..errors import GenerationError

    try:
        return SUB_COMMANDS[arguments.rules_command].run(arguments)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("ruamel"):
            raise
        print_status("a parser of YAML is not installed: pip install 'protoc-gen-dubbo-mesh[rules]'")
        return 2
    except GenerationError as error:
        print_error(error)
        return 2
