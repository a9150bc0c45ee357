"""`dubbo-mesh completion`: prints a script that completes the command line in a shell.

The scripts are part of the package. `make generate` derives them from the parser by means of shtab, which
only developers of this package need.
"""

from __future__ import annotations

from pathlib import Path

SUMMARY = "print a script with which bash or zsh completes this program's arguments"

DESCRIPTION = """\
Prints a script that makes a shell complete the arguments of dubbo-mesh.
In bash: eval "$(dubbo-mesh completion bash)".
In zsh: store it as _dubbo-mesh in a directory of $fpath.
"""

SHELLS = ("bash", "zsh")


def path_of(shell: str) -> Path:
    """The script for a shell."""
    return Path(__file__).parent / "completions" / f"dubbo-mesh.{shell}"
