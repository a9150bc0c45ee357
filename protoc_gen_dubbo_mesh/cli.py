"""The command line, for people rather than for protoc.

`parser` defines the arguments, the help and, through `completion.py`, shell completion.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from . import __version__, completion, subcommands
from .console import print_status
from .errors import printable
from .parameters import HELP
from .project import explain, generate
from .project.init import command as init
from .rules import command as rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .subcommands import Command

PROGRAM = "protoc-gen-dubbo-mesh"
_NO_READER = 141  # the exit status after a closed pipe, as with `| head`: 128 + SIGPIPE


COMMANDS: Mapping[str, Command] = {
    "init": init,
    "generate": generate,
    "explain": explain,
    "rules": rules,
    "completion": completion,
}
"""The commands, in the order of the help. Their modules postpone slow imports until they run."""

_USAGE = f"""\
protoc --dubbo-mesh_out=OUT [--dubbo-mesh_opt=NAME=VALUE,...] FILE.proto...
       {PROGRAM} COMMAND [--help]
       {PROGRAM} --help | --version | --proto-path"""

_DESCRIPTION = """\
A protoc plugin. For each FILE.proto with services it writes FILE_mesh.py, next to protoc's FILE_pb2.py:
gRPC (Dubbo Triple) stubs and servicers for Python services in a service mesh.

  python -m grpc_tools.protoc -I protos --python_out=gen --pyi_out=gen --dubbo-mesh_out=gen \\
      --dubbo-mesh_opt=app=demo,port=50051 protos/greeter.proto
"""

_PARAMETERS = f"""\
parameters of --dubbo-mesh_opt, separated by commas; options in the proto take precedence over them:
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
    subcommands.add(top, COMMANDS, "command", prog=PROGRAM)
    return top


def answer(arguments: list[str]) -> int:
    """Parses the arguments and runs the command; returns the exit status.

    Raises:
        SystemExit: argparse printed help (status 0), or what is wrong with the arguments (2).
    """
    first = arguments[0]
    if not first.startswith("-") and first not in COMMANDS:
        print_status(
            f"{PROGRAM}: unknown command {first!r}: must be one of {', '.join(COMMANDS)}: see --help"
        )
        return 2
    parsed = parser().parse_args(arguments)
    if parsed.version:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
    elif parsed.proto_path:
        from .project.sources import proto_path

        sys.stdout.write(f"{proto_path()}\n")
    else:
        return COMMANDS[parsed.command].run(parsed)
    return 0


def main(arguments: list[str]) -> int:
    """Runs the command line; returns the exit status. Streams that are closed or full cause no traceback."""
    _prepare()
    try:
        status = _status(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard()
        return _NO_READER
    except OSError as error:
        if error.filename is not None:
            raise
        _discard()
        print_status(f"cannot write to standard output: {error.strerror}")
        return 1
    return status


def _status(arguments: list[str]) -> int:
    try:
        return answer(arguments)
    except SystemExit as stop:  # argparse printed help or what is wrong
        return stop.code if isinstance(stop.code, int) else 0


def _prepare() -> None:
    if not sys.stdout:  # it is closed
        sys.stdout = io.StringIO()
    if not sys.stderr:
        sys.stderr = io.StringIO()
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # standard error always does that


def _discard() -> None:
    """Discards what is still buffered, which Python would try to write once more when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {printable(message)}: see --help\n")
