"""The options as a module of buf: `runtime/` itself, and copies in other people's workspaces."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RUNTIME = Path(__file__).parents[2] / "runtime"
OPTIONS = "dubbo_mesh/v1/options.proto"
IGNORE = "buf:lint:ignore ENUM_VALUE_PREFIX"


def buf(*arguments: str, cwd: Path) -> tuple[int, str]:
    """The exit status of `buf`, and what it printed."""
    command = [str(Path(sys.executable).with_name("buf")), *arguments]
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A workspace that has a copy of the options, and buf's own rules."""
    (tmp_path / OPTIONS).parent.mkdir(parents=True)
    shutil.copy(RUNTIME / OPTIONS, tmp_path / OPTIONS)
    (tmp_path / "buf.yaml").write_text("version: v2\n")
    return tmp_path


def test_the_module_builds_and_is_clean(tmp_path: Path) -> None:
    assert buf("lint", cwd=RUNTIME) == (0, "")
    assert buf("format", "--diff", "--exit-code", cwd=RUNTIME) == (0, "")
    image = tmp_path / "image.json"
    assert buf("build", "--output", str(image), cwd=RUNTIME) == (0, "")
    files = [file["name"] for file in json.loads(image.read_text())["file"]]
    assert [name for name in files if not name.startswith("google/")] == [OPTIONS]


def test_a_copy_is_clean_under_bufs_own_rules(copy: Path) -> None:
    assert buf("lint", cwd=copy) == (0, "")


def test_each_exception_is_needed(copy: Path) -> None:
    text = (copy / OPTIONS).read_text()
    first, second, third = text.split(IGNORE)
    for without in (first + second + IGNORE + third, first + IGNORE + second + third):
        (copy / OPTIONS).write_text(without)
        status, printed = buf("lint", cwd=copy)
        assert status != 0
        assert "should be prefixed with" in printed
