"""The command line, for people rather than for protoc.

Help, shell completion (`completion.py`) and what is accepted all come from `parser`.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, NoReturn, Protocol

from . import __version__, completion
from .console import say
from .errors import printable
from .parameters import HELP
from .project import generate

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM = "protoc-gen-dubbo-mesh"


class Command(Protocol):
    """What a module offers to be a command."""

    @property
    def SUMMARY(self) -> str:
        """A line for the list of commands."""
        ...

    @property
    def DESCRIPTION(self) -> str:
        """The beginning of its own help."""
        ...

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the command's arguments."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Runs the command; returns its exit status."""
        ...


COMMANDS: Mapping[str, Command] = {
    "generate": generate,
    "completion": completion,
}
"""The commands, in the order of the help. Their modules import what takes long when they run."""

_USAGE = f"""\
protoc --dubbo-mesh_out=OUT [--dubbo-mesh_opt=NAME=VALUE,...] FILE.proto...
       {PROGRAM} COMMAND [--help]
       {PROGRAM} --help | --version | --proto-path"""

_DESCRIPTION = """\
A protoc plugin: for each FILE.proto with services it writes FILE_mesh.py, with gRPC (Dubbo Triple) stubs and
servicers for Python that are native to a service mesh. It stands beside protoc's FILE_pb2.py.

  python -m grpc_tools.protoc -I protos --python_out=gen --pyi_out=gen --dubbo-mesh_out=gen \\
      --dubbo-mesh_opt=app=demo,port=50051 protos/greeter.proto
"""

_PARAMETERS = f"""\
parameters, separated by commas; a config wins over options in the proto, and those over parameters:
{HELP}"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = _Parser(
        PROGRAM,
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_PARAMETERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="store_true", help="show the version and exit")
    top.add_argument(
        "--proto-path",
        action="store_true",
        help='print the directory to give protoc with -I, for import "dubbo_mesh/v1/options.proto"',
    )
    commands = top.add_subparsers(title="commands", prog=PROGRAM, metavar="COMMAND", dest="command")
    for name, command in COMMANDS.items():
        command.add_arguments(
            commands.add_parser(
                name, help=command.SUMMARY, description=command.DESCRIPTION, allow_abbrev=False
            )
        )
    return top


def answer(arguments: list[str]) -> int:
    """Runs what the arguments ask for; returns the exit status.

    Raises:
        SystemExit: argparse printed help (status 0), or what is wrong with the arguments (2).
    """
    first = arguments[0]
    if not first.startswith("-") and first not in COMMANDS:
        say(f"{PROGRAM}: unknown command {first!r}; protoc starts this program, not you: see --help")
        return 2
    asked = parser().parse_args(arguments)
    if asked.version:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
    elif asked.proto_path:
        from .project.sources import proto_path

        sys.stdout.write(f"{proto_path()}\n")
    else:
        return COMMANDS[asked.command].run(asked)
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {printable(message)}: see --help\n")
