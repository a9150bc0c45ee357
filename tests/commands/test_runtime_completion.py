"""Shell completion of `dubbo-mesh`: the scripts in the package, and what bash makes of one."""

from __future__ import annotations

from pathlib import Path

import pytest
import shtab

from dubbo_mesh.__main__ import main, parser
from dubbo_mesh._command.completion import SHELLS, path_of
from tests.commands.bash import completed


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_that_of_the_parser(
    shell: str, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    expected = shtab.complete(parser(), shell).rstrip() + "\n"
    if request.config.getoption("--update-goldens"):
        path_of(shell).write_text(expected, encoding="utf-8")
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == expected, "stale: run make generate"


def test_bash_completes_commands_and_flags(tmp_path: Path) -> None:
    script = path_of("bash")
    assert completed(script, "dubbo-mesh ", tmp_path) == {"doctor", "completion"}
    assert completed(script, "dubbo-mesh --v", tmp_path) == {"--version"}
    assert completed(script, "dubbo-mesh doctor --", tmp_path) == {
        "--help",
        "--server",
        "--config-dump",
        "--header",
        "--call",
        "--grace",
        "--json",
        "--timeout",
    }
    assert completed(script, "dubbo-mesh doctor orders:80 --js", tmp_path) == {"--json"}
    assert completed(script, "dubbo-mesh completion z", tmp_path) == {"zsh"}
