"""What bash completes."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PROGRAM = """
source "$1"
read -ra COMP_WORDS <<< "$2"
[[ $2 == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
# What `complete` has registered for the command's name.
specification=$(complete -p "${COMP_WORDS[0]}")
function=${specification##*-F }
${function%% *} 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(script: Path, line: str, directory: Path) -> set[str]:
    """What bash offers for the last word of `line`, as when Tab is pressed behind it.

    Args:
        script: the completion script.
        line: a command line, with the name of the command.
        directory: the current directory.
    """
    command = ["bash", "--norc", "-c", _PROGRAM, "bash", str(script), line]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    return set(done.stdout.split())
