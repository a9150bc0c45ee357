"""`python -m dubbo_mesh` on any terminal and locale: no traceback, and nothing that steers the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.test_console import TERMINALS

VARIABLES = {"DUBBO_MESH_ADMIN": "off", "POD_IP": "größe漢\x1b[31m\n\u202e", "DUBBO_MESH_GRÖẞE": "1"}
TARGETS = ("漢", "größe_mesh", "orders\n:80")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dubbo_mesh", *arguments]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, **VARIABLES, **more}


FOUND = [
    ["ok", "environment"],
    ["failed", "environment"],
    *[["failed", "dial"]] * len(TARGETS),
    ["skipped", "admin"],
    ["skipped", "headers"],
    ["skipped", "health"],
]


def found(terminal: dict[str, str], *flags: str) -> str:
    """What the doctor prints."""
    started = command("doctor", *flags, *TARGETS)
    done = subprocess.run(started, capture_output=True, env=environment(**terminal))
    assert (done.returncode, done.stderr) == (1, b"")
    return done.stdout.decode(terminal.get("PYTHONIOENCODING", "ascii"))


@TERMINALS
def test_the_doctor_shows_any_name(terminal: dict[str, str]) -> None:
    text = found(terminal)
    lines = [line for line in text.splitlines() if line.startswith("  ") and "->" not in line]
    assert sorted(line.split()[:2] for line in lines) == sorted(FOUND)
    assert "\\x1b[31m\\n" in lines[0]
    assert text.isascii() or "größe\\u6f22" in lines[0]


@TERMINALS
def test_so_does_its_json(terminal: dict[str, str]) -> None:
    findings = json.loads(found(terminal, "--json"))
    assert [[finding["status"], finding["check"]] for finding in findings] == FOUND
    assert "\x1b[31m\n" in findings[0]["finding"]


@TERMINALS
def test_a_wrong_argument_is_one_line(terminal: dict[str, str]) -> None:
    done = subprocess.run(command("größe漢"), capture_output=True, env=environment(**terminal))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"dubbo-mesh: error: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("arguments", [("doctor",), ("completion", "zsh")])
def test_a_reader_may_leave(arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(command(*arguments), stdout=writer, stderr=subprocess.PIPE, env=environment())
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command("doctor"), stdout=full, stderr=subprocess.PIPE, env=environment())
    assert done.returncode == 1
    assert done.stderr == b"cannot write to standard output: No space left on device\n"


def test_standard_output_may_be_closed() -> None:
    script = 'exec "$@" >&-'
    started = ["sh", "-c", script, "sh", *command("doctor", *TARGETS)]
    done = subprocess.run(started, capture_output=True, env=environment())
    assert (done.returncode, done.stderr) == (1, b"")
