"""The command `generate`, run in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from protoc_gen_dubbo_mesh.cli import answer
from protoc_gen_dubbo_mesh.project import stamp
from tests.hooks.samples import below

PROGRAM = Path(sys.executable).with_name("protoc-gen-dubbo-mesh")

SETTINGS = """\
[tool.dubbo-mesh]
roots = ["protos", "shared protos"]
out = "src"
"""


class Generating:
    """The command, in a project of two roots, with its standard output and error."""

    def __init__(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.project = project
        self.src = project / "src"
        self.orders = project / "protos" / "shop" / "api" / "v1" / "orders.proto"
        self.types = project / "shared protos" / "acme" / "types.proto"
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        try:
            status = answer(["generate", *arguments])
        except SystemExit as stop:
            status = int(str(stop.code))
        self.out, self.err = self._capsys.readouterr()
        return status

    def stamp(self) -> Path:
        (file,) = (self.project / stamp.DIRECTORY).glob("*.json")
        return file

    def times(self) -> dict[str, int]:
        return {name: (self.src / name).stat().st_mtime_ns for name in below(self.src)}
