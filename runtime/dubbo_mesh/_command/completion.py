"""`dubbo-mesh completion`: prints a script that completes the command line in a shell.

The scripts are part of the package. `make generate` regenerates them from the parser with shtab, which only
developers of this package need.
"""

from __future__ import annotations

from pathlib import Path

SUMMARY = "print a script for shell completion in bash or zsh"

DESCRIPTION = """\
Prints a script with which a shell completes the arguments of this program.

bash: add to ~/.bashrc:  eval "$(dubbo-mesh completion bash)"
zsh:  save the output as _dubbo-mesh in a directory of $fpath
"""

SHELLS = ("bash", "zsh")


def path_of(shell: str) -> Path:
    """The script for a shell."""
    return Path(__file__).parent / "completions" / f"dubbo-mesh.{shell}"
