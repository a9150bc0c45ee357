"""`protoc-gen-dubbo-mesh completion`: prints a script that completes the command line in a shell.

The scripts are part of the package. `python -m protoc_gen_dubbo_mesh.completion` regenerates them from the
parser with shtab, which only developers of this package need.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "print a script for shell completion in bash or zsh"

DESCRIPTION = """\
Prints a script with which a shell completes the arguments of this program.

bash: add to ~/.bashrc:  eval "$(protoc-gen-dubbo-mesh completion bash)"
zsh:  save the output as _protoc-gen-dubbo-mesh in a directory of $fpath
"""

SHELLS = ("bash", "zsh")

_COMPLETED_AS = {"DIR": "directory", "FILE": "file", "RULES": "file"}
"""How shtab completes the values of an argument, by the metavar that help shows."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that the script is for")


def run(arguments: Namespace) -> int:
    """Prints the script for a shell."""
    sys.stdout.write(path_of(arguments.shell).read_text(encoding="utf-8"))
    return 0


def path_of(shell: str) -> Path:
    """The script for a shell."""
    return Path(__file__).parent / "completions" / f"protoc-gen-dubbo-mesh.{shell}"


def script(shell: str) -> str:
    """Derives the script for a shell from the parser."""
    import shtab

    from .cli import parser

    top = parser()
    _mark_paths(top)
    return shtab.complete(top, shell).rstrip() + "\n"


def _mark_paths(parser: Any) -> None:
    """Marks the arguments that are directories or files, in all commands."""
    import shtab

    for action in parser._actions:  # as shtab itself does: there is no public way
        if action.metavar in _COMPLETED_AS:
            action.complete = shtab.CHOICE_FUNCTIONS[_COMPLETED_AS[action.metavar]]
        commands: Any = action.choices
        if hasattr(commands, "values"):
            for command in commands.values():
                _mark_paths(command)


if __name__ == "__main__":
    for name in SHELLS:
        path_of(name).parent.mkdir(exist_ok=True)
        path_of(name).write_text(script(name), encoding="utf-8")
