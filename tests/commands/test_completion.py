"""Shell completion: the scripts in the package, and what bash makes of one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh import cli, completion
from tests.hooks.samples import write


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_script_is_that_of_the_parser(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.answer(["completion", shell]) == 0
    assert capsys.readouterr().out == completion.script(shell), "stale: run make generate"


def completed(line: str, directory: Path) -> set[str]:
    """What bash offers for the last word of `line`, as when Tab is pressed behind it."""
    program = """
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
    script = completion.path_of("bash")
    command = ["bash", "--norc", "-c", program, "bash", str(script), line]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_bash_completes_commands_flags_and_paths(tmp_path: Path) -> None:
    write(tmp_path, {"protos/shop.proto": "", "prose.txt": ""})
    assert completed("protoc-gen-dubbo-mesh ", tmp_path) >= set(cli.COMMANDS)
    assert completed("protoc-gen-dubbo-mesh gen", tmp_path) == {"generate"}
    assert completed("protoc-gen-dubbo-mesh --p", tmp_path) == {"--proto-path"}
    assert completed("protoc-gen-dubbo-mesh generate --ch", tmp_path) == {"--check"}
    assert completed("protoc-gen-dubbo-mesh generate --root pro", tmp_path) == {"protos"}
    assert completed("protoc-gen-dubbo-mesh completion ", tmp_path) >= {"bash", "zsh"}
