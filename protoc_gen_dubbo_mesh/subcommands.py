"""Commands that are modules, as argparse's sub-commands."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Command(Protocol):
    """The interface of a module that implements a command."""

    @property
    def SUMMARY(self) -> str:
        """A line for the list of commands."""
        ...

    @property
    def DESCRIPTION(self) -> str:
        """The beginning of its own help. Its first line is a sentence, which zsh shows when it completes."""
        ...

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the command's arguments."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Runs the command; returns its exit status."""
        ...


def add(
    parser: argparse.ArgumentParser,
    commands: Mapping[str, Command],
    dest: str,
    *,
    prog: str | None = None,
    required: bool = False,
) -> None:
    """Adds commands to a parser, each with its arguments.

    Args:
        parser: the parser.
        commands: the commands by name, in the order of the help.
        dest: the attribute that the command's name becomes.
        prog: what comes before the names in usages, if it is not the parser's own.
        required: whether one must be given.
    """
    parsers = parser.add_subparsers(
        title="commands", prog=prog, metavar="COMMAND", dest=dest, required=required
    )
    for name, command in commands.items():
        command.add_arguments(
            parsers.add_parser(
                name,
                help=command.SUMMARY,
                description=command.DESCRIPTION,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
        )
