"""Shell completion: the scripts in the package, and what bash makes of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh import cli, completion
from tests.commands.bash import completed
from tests.hooks.samples import write


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_script_is_that_of_the_parser(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.answer(["completion", shell]) == 0
    assert capsys.readouterr().out == completion.script(shell), "stale: run make generate"


def test_bash_completes_commands_flags_and_paths(tmp_path: Path) -> None:
    write(tmp_path, {"protos/shop.proto": "", "prose.txt": ""})
    script = completion.path_of("bash")
    assert completed(script, "protoc-gen-dubbo-mesh ", tmp_path) >= set(cli.COMMANDS)
    assert completed(script, "protoc-gen-dubbo-mesh gen", tmp_path) == {"generate"}
    assert completed(script, "protoc-gen-dubbo-mesh --p", tmp_path) == {"--proto-path"}
    assert completed(script, "protoc-gen-dubbo-mesh generate --ch", tmp_path) == {"--check"}
    assert completed(script, "protoc-gen-dubbo-mesh generate --root pro", tmp_path) == {"protos"}
    assert completed(script, "protoc-gen-dubbo-mesh completion ", tmp_path) >= {"bash", "zsh"}
