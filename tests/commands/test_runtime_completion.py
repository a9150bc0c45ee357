"""Shell completion of `dubbo-mesh`: the scripts in the package, and what bash makes of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import shtab

from dubbo_mesh.__main__ import main, parser
from dubbo_mesh._command.completion import SHELLS, path_of
from dubbo_mesh._doctor.catalogue import CATALOGUE
from tests.commands.bash import completed


def script(shell: str) -> str:
    """Derives the script for a shell from the parser."""
    top = parser()
    mark_values(top)
    return shtab.complete(top, shell).rstrip() + "\n"


def mark_values(parser: Any) -> None:
    """Marks the arguments that are files or ids, in all commands."""
    for action in parser._actions:  # as shtab itself does: there is no public way
        if action.metavar == "FILE":
            action.complete = shtab.CHOICE_FUNCTIONS["file"]
        if action.metavar == "ID":
            action.choices = sorted(CATALOGUE)
        commands: Any = action.choices
        if hasattr(commands, "values"):
            for command in commands.values():
                mark_values(command)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_that_of_the_parser(
    shell: str, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    expected = script(shell)
    if request.config.getoption("--update-goldens"):
        path_of(shell).write_text(expected, encoding="utf-8")
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == expected, "stale: run make generate"


def test_bash_completes_commands_and_flags(tmp_path: Path) -> None:
    bash = path_of("bash")
    assert completed(bash, "dubbo-mesh ", tmp_path) == {"doctor", "explain", "completion"}
    assert completed(bash, "dubbo-mesh --v", tmp_path) == {"--version"}
    flags = completed(bash, "dubbo-mesh doctor --", tmp_path)
    assert flags > {"--help", "--server", "--json", "--timeout", "--wait", "--fail-on", "--ignore"}
    assert completed(bash, "dubbo-mesh doctor orders:80 --js", tmp_path) == {"--json"}
    assert completed(bash, "dubbo-mesh doctor --fail-on w", tmp_path) == {"warning"}
    assert completed(bash, "dubbo-mesh completion z", tmp_path) == {"zsh"}


def test_bash_completes_ids_and_files(tmp_path: Path) -> None:
    bash = path_of("bash")
    (tmp_path / "dump.json").touch()
    assert completed(bash, "dubbo-mesh explain DM20", tmp_path) == {id for id in CATALOGUE if "DM20" in id}
    assert completed(bash, "dubbo-mesh explain DM101 DM102", tmp_path) == {"DM102"}
    assert completed(bash, "dubbo-mesh doctor --ignore DM101", tmp_path) == {"DM101"}
    assert completed(bash, "dubbo-mesh doctor --config-dump du", tmp_path) == {"dump.json"}
