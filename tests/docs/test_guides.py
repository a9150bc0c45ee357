"""The guides tell the truth: what they show is written down and run, as a reader would.

In README.md and docs/*.md, in order, in one empty directory a guide:

* a fence with a file's name behind its language (three backticks, `python server.py`) goes to that file;
* a fence in `sh` is run, with this environment's programs on the PATH, and must succeed;
* a fence in `text` right behind a run one is what that prints, and is compared.

The ports that guides listen on are exchanged for ones that are free here.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import localmesh

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Fence(NamedTuple):
    language: str
    file: str
    body: str


_PORT = re.compile(r"\b(?:50052|150[0-9][0-9])\b")
"""Those that guides listen on: of a server, and of Envoys."""


def fences(guide: Path, free: int) -> list[Fence]:
    """The fences of a guide, with ports in a row from `free` on: Envoys' files say only where that begins."""
    found: list[Fence] = []

    def replaced(port: re.Match[str]) -> str:
        return str(free + (100 if port[0] == "50052" else int(port[0]) - 15000))

    text = _PORT.sub(replaced, guide.read_text())
    for match in _FENCE.finditer(text):
        language, _, file = match["info"].partition(" ")
        found.append(Fence(language, file, match["body"]))
    return found


def run(script: str, directory: Path) -> str:
    """What `script` prints; what it left running in the background is ended."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DUBBO_MESH_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    log = directory / ".printed"
    with log.open("w+") as printed:
        shell = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=directory,
            env=environment,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = shell.wait(timeout=90)
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing was left running
                os.killpg(shell.pid, signal.SIGKILL)
    assert status == 0, f"{script}\n{log.read_text()}"
    return log.read_text()


@pytest.fixture
def free() -> Iterator[int]:
    """The first of the ports that are reserved for a guide."""
    with localmesh.ReservedPorts(101) as reserved:
        yield reserved.numbers[0]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_what_the_guide_shows_works(guide: Path, free: int, tmp_path: Path) -> None:
    printed: str | None = None
    for fence in fences(guide, free):
        if fence.file:
            (tmp_path / fence.file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / fence.file).write_text(fence.body)
        elif fence.language == "sh":
            # The makefile's targets are what this test is a part of: that they exist is enough.
            lines = [
                re.sub(r"^make (\S+).*", rf"make -C '{ROOT}' -n \1 >&2", line)
                for line in fence.body.splitlines()
            ]
            printed = run("\n".join(lines), tmp_path)
            continue
        elif fence.language == "text" and printed is not None:
            assert fence.body.strip() in printed
        printed = None


@pytest.mark.parametrize(
    "guide", [*GUIDES, ROOT / "CONTRIBUTING.md", ROOT / "DESIGN.md"], ids=lambda guide: guide.name
)
def test_links_lead_somewhere(guide: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", guide.read_text()):
        file = guide.parent / target if target else guide
        assert file.exists(), f"{guide.name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{guide.name}: {target}#{anchor}"


def anchors(guide: Path) -> set[str]:
    """The anchors that GitHub makes of a guide's headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", guide.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
