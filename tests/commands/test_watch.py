"""`generate --watch`: a real process, whose lines say when it has done what."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast
from unittest.mock import Mock

import pytest

from protoc_gen_dubbo_mesh import __main__, cli
from protoc_gen_dubbo_mesh.cli import answer
from protoc_gen_dubbo_mesh.project import watch
from tests.hooks.samples import ORDERS, TYPES, write

SETTINGS = """\
[tool.dubbo-mesh]
roots = ["protos"]
out = "src"
import-path = ["shared"]
options = { config = "mesh.toml" }
"""

WATCHING = "watching protos, shared, mesh.toml, pyproject.toml; press Ctrl-C to stop"
WRITTEN = "1 written and 0 removed below src, from 1 .proto"


class Watching:
    """The process, in its project."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.orders = project / "protos" / "shop" / "orders.proto"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "protoc_gen_dubbo_mesh", "generate", "--watch"],
            cwd=project,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line.removesuffix("\n"))
        self._lines.put(None)

    def expect(self, *expected: str) -> None:
        """Waits for the next lines, which must begin like this."""
        for line in expected:
            output = self._lines.get(timeout=60)
            assert output is not None
            assert output.startswith(line), output

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        status = self.process.wait(60)
        self.expect("stopped watching")
        assert self._lines.get(timeout=60) is None
        return status

    def close(self) -> None:
        self.process.kill()
        self._reader.join()
        self.process.communicate()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(
        tmp_path,
        {
            "pyproject.toml": SETTINGS,
            "mesh.toml": 'services."shop.*".port = 1\n',
            "protos/shop/orders.proto": ORDERS.replace("port: 50051 ", ""),
            "shared/acme/types.proto": TYPES,
        },
    )


@pytest.fixture
def watching(project: Path) -> Iterator[Watching]:
    process = Watching(project)
    try:
        process.expect("3 written and 0 removed below src, from 1 .proto", WATCHING)
        yield process
    finally:
        process.close()


def replace(path: Path, text: str) -> None:
    """Saves as many editors do: to another file, which replaces the old one."""
    draft = path.with_name(f".{path.name}.swp")
    draft.write_text(text)
    draft.replace(path)


def test_all_that_determines_the_output_is_watched(watching: Watching) -> None:
    project, orders = watching.project, watching.orders
    text = orders.read_text()
    module = project / "src" / "shop" / "orders_mesh.py"

    replace(orders, text.replace("Takes orders.", "Takes all orders."))
    watching.expect("protos/shop/orders.proto changed", WRITTEN)
    assert "Takes all orders." in module.read_text()

    replace(project / "shared" / "acme" / "types.proto", TYPES.replace("acme", "acme.items"))
    watching.expect("shared/acme/types.proto changed", 'protos/shop/orders.proto:7:3: "acme.Item" is not')
    watching.expect("protos/shop/orders.proto:")
    replace(project / "shared" / "acme" / "types.proto", TYPES)
    watching.expect("shared/acme/types.proto changed", "src is up to date")

    replace(project / "mesh.toml", 'services."shop.*".port = 2\n')
    watching.expect("mesh.toml changed", WRITTEN)
    assert "port=2" in module.read_text()

    replace(project / "pyproject.toml", "[tool.dubbo-mesh]\nroot = 1\n")
    watching.expect("pyproject.toml changed", "pyproject.toml:2: [tool.dubbo-mesh] unknown key 'root'")
    (project / "mesh.toml").unlink()
    watching.expect("mesh.toml changed", "pyproject.toml:2: [tool.dubbo-mesh] unknown key 'root'")
    replace(
        project / "pyproject.toml",
        SETTINGS.replace("options =", "exclude =").replace('{ config = "mesh.toml" }', "[]"),
    )
    watching.expect("pyproject.toml changed", WRITTEN)
    watching.expect("watching protos, shared, pyproject.toml; press Ctrl-C to stop")

    assert watching.end(signal.SIGINT) == 0


def test_files_and_roots_may_come_and_go(watching: Watching) -> None:
    protos = watching.project / "protos"
    proto = 'syntax = "proto3";'
    # All at once: that files appear one by one within a burst cannot be relied on here.
    more = write(
        watching.project / "new", {"a.proto": proto, "c.proto": proto, ".hidden/d.proto": "", "e": ""}
    )
    more.rename(protos / "more")
    watching.expect(
        "protos/more/a.proto and 1 more changed", "4 written and 0 removed below src, from 3 .proto"
    )
    (protos / "more" / "c.proto").unlink()
    watching.expect("protos/more/c.proto changed", "0 written and 2 removed below src, from 2 .proto")
    protos.rename(watching.project / "elsewhere")
    watching.expect("protos/more/a.proto and 1 more changed", "protos is not a directory")
    (watching.project / "elsewhere").rename(protos)
    watching.expect("protos/more/a.proto and 1 more changed", "src is up to date")
    assert watching.end(signal.SIGTERM) == 0


def test_a_missing_import_is_waited_for(project: Path) -> None:
    types = project / "shared" / "acme" / "types.proto"
    text = types.read_text()
    types.unlink()
    watching = Watching(project)
    try:
        watching.expect("acme/types.proto: File not found", "protos/shop/orders.proto:3:1: Import")
        for _ in range(2):
            watching.expect("protos/shop/orders.proto:")
        watching.expect(WATCHING)
        replace(types, text)
        watching.expect("shared/acme/types.proto changed", "3 written")
        assert watching.end(signal.SIGINT) == 0
    finally:
        watching.close()


@pytest.mark.parametrize("other", ["--check", "--fail-on-change"])
def test_watching_excludes_what_ends(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["generate", "--watch", other]) == 2
    assert capsys.readouterr().err == "--watch cannot be combined with --check or --fail-on-change\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_a_command_runs_ends_with_it(number: signal.Signals, project: Path, tmp_path: Path) -> None:
    """A plugin that hangs holds a pipe open, as does the program that it has started itself."""
    pipe, temporary = tmp_path / "pipe", tmp_path / "temporary"
    os.mkfifo(pipe)
    temporary.mkdir()
    plugin = (
        write(tmp_path, {"protoc-gen-hang": f"#!/bin/sh\nexec 3> '{pipe}'\nsleep 3600\n"}) / "protoc-gen-hang"
    )
    plugin.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [sys.executable, "-m", "protoc_gen_dubbo_mesh", "generate", "--plugin=hang"],
        cwd=project,
        env={**os.environ, "PATH": path, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
    )
    with pipe.open("rb") as held:  # once the plugin runs
        process.send_signal(number)
        _, output = process.communicate(timeout=60)
        assert held.read() == b""  # once nobody holds it any more
    assert (process.returncode, output) == (128 + number, b"")
    assert not [*temporary.iterdir()]


def test_ctrl_c_while_modules_are_imported_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["protoc-gen-dubbo-mesh", "--help"])
    monkeypatch.setattr(cli, "main", Mock(side_effect=KeyboardInterrupt))
    assert __main__.main() == 130


class Looks(NamedTuple):
    """What successive looks find."""

    states: Iterator[dict[Path, tuple[int, int, int]]]

    def look(self) -> dict[Path, tuple[int, int, int]]:
        return next(self.states)


def test_a_burst_of_saves_is_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """At first, a file is gone for a moment; then an editor rewrites it, and saves another."""
    monkeypatch.setattr(time, "sleep", str)
    one, other = Path("one.proto"), Path("other.proto")
    before = {one: (1, 1, 1), other: (1, 1, 1)}
    last = {one: (3, 3, 3), other: (2, 2, 2)}
    looks = [
        *(before, {other: (1, 1, 1)}, before, before),
        *(before, {other: (1, 1, 1)}, {**before, one: (2, 0, 2)}, {**before, one: (3, 3, 3)}, last, last),
    ]
    watched = cast("Any", Looks(iter(looks)))
    assert watch._wait_for_change(watched, before) == [one, other]  # pyright: ignore[reportPrivateUsage]
