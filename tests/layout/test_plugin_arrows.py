"""The layout of the plugin follows the data flow, and no emitter knows another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.layout.imports import Import, imports_of, modules

ROOT = Path(__file__).parents[2]
PLUGIN = "protoc_gen_dubbo_mesh"

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "console": {"errors"},
    "subcommands": set(),
    "protoc": {"errors"},
    "templating": {"errors"},
    "yaml": {"errors", "templating"},
    "policy": {"errors", "protoc"},
    "mesh": {"errors", "protoc", "policy"},
    "explain": {"errors", "protoc", "policy", "mesh"},
    "python": {"errors", "protoc", "policy", "templating"},
    "kubernetes": {"errors", "policy", "mesh", "yaml"},
    "istio": {"errors", "policy", "mesh", "yaml"},
    "gateway": {"errors", "policy", "mesh", "yaml"},
    "envoy": {"errors", "policy", "mesh", "yaml"},
    "parameters": {"errors", "policy", "python"},
    "manifests": {"protoc", "policy", "parameters", "mesh", "kubernetes", "istio", "gateway", "envoy"},
    "plugin": {"errors", "protoc", "policy", "python", "parameters", "manifests"},
    "project": {
        "errors",
        "console",
        "protoc",
        "policy",
        "mesh",
        "explain",
        "templating",
        "python",
        "parameters",
        "plugin",
    },
    "rules": {
        "errors",
        "console",
        "protoc",
        "policy",
        "mesh",
        "yaml",
        "istio",
        "parameters",
        "project",
        "subcommands",
    },
}
"""The rooms of the plugin (packages, and modules at its top), and which others each of them may import."""

COMMAND = {"__main__", "cli", "compile_templates", "completion"}
"""The command line, and programs of our own. They may import everything, and nothing else imports them."""

HOOKS = f"{PLUGIN}.project.hooks"
"""The build hooks, which only Hatchling and setuptools load, by their entry points."""


def room_of(module: str) -> str:
    """The room that a module of the plugin is in: `policy` for `protoc_gen_dubbo_mesh.policy.model`."""
    return [*module.split("."), ""][1]


def upward(found: Iterable[Import]) -> Iterator[Import]:
    """Imports within the plugin that the table does not allow."""
    for each in found:
        importer, imported = room_of(each.importer), room_of(each.imported)
        if each.imported.partition(".")[0] != PLUGIN or importer in COMMAND or imported in {"", importer}:
            continue
        if imported not in MAY_IMPORT[importer]:
            yield each


def into_hooks(found: Iterable[Import]) -> Iterator[Import]:
    """Imports of the build hooks: they are loaded by build tools only."""
    for each in found:
        is_hook = each.imported.startswith(HOOKS)
        if is_hook and not each.importer.startswith(HOOKS):
            yield each


def shown(violations: Iterable[Import]) -> list[str]:
    return [f"{importer}, line {line}, imports {imported}" for importer, imported, line in violations]


@pytest.fixture(scope="module")
def plugin() -> dict[str, Path]:
    return modules(ROOT, PLUGIN)


@pytest.fixture(scope="module")
def found(plugin: dict[str, Path]) -> list[Import]:
    return imports_of(plugin)


class TestThePlugin:
    def test_has_the_rooms_of_the_table(self, plugin: dict[str, Path]) -> None:
        assert {room_of(module) for module in plugin} - {""} == {*MAY_IMPORT, *COMMAND}

    def test_has_the_rooms_that_contributors_are_told_of(self) -> None:
        told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        assert [room for room in MAY_IMPORT if f"`{room}/`" not in told and f"`{room}`" not in told] == []

    def test_imports_only_downwards(self, found: list[Import]) -> None:
        assert shown(upward(found)) == []

    def test_only_build_tools_load_the_hooks(self, found: list[Import]) -> None:
        assert shown(into_hooks(found)) == []

    def test_nothing_imports_the_command_line(self, found: list[Import]) -> None:
        importers = {
            each.importer
            for each in found
            if each.imported.partition(".")[0] == PLUGIN and room_of(each.imported) in COMMAND
        }
        assert {room_of(importer) for importer in importers} <= COMMAND

    def test_the_table_has_no_circle(self) -> None:
        below: set[str] = set()
        for room, allowed in MAY_IMPORT.items():
            assert allowed <= below, f"{room} may import what stands below it in the table"
            below.add(room)


class TestViolations:
    """Each rule finds a violation of it."""

    def plant(self, tmp_path: Path, module: str, code: str) -> list[Import]:
        for package in MAY_IMPORT:
            (tmp_path / PLUGIN / package).mkdir(parents=True, exist_ok=True)
            (tmp_path / PLUGIN / package / "__init__.py").touch()
            (tmp_path / PLUGIN / package / "known.py").touch()
        (tmp_path / PLUGIN / "__init__.py").touch()
        (tmp_path / PLUGIN / "cli.py").touch()
        path = tmp_path / PLUGIN / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
        return imports_of(modules(tmp_path, PLUGIN))

    @pytest.mark.parametrize(
        ("module", "code"),
        [
            ("policy/model", "from ..python import known"),
            ("policy/model", "def late():\n    from ..python.known import x"),
            (
                "policy/model",
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..plugin import x",
            ),
            ("protoc/request", f"import {PLUGIN}.policy.known"),
            ("python/build", "from ..project import known"),
            ("protoc/response", "from .. import cli"),
            ("errors/base", "from .. import parameters"),
        ],
    )
    def test_upward(self, module: str, code: str, tmp_path: Path) -> None:
        planted = self.plant(tmp_path, module, code)
        assert [each.importer for each in upward(planted)] == [f"{PLUGIN}.{module.replace('/', '.')}"]

    def test_downward_is_allowed(self, tmp_path: Path) -> None:
        assert list(upward(self.plant(tmp_path, "python/build", "from ..policy import known"))) == []

    def test_hooks(self, tmp_path: Path) -> None:
        self.plant(tmp_path, "project/hooks/hatch", "")
        planted = self.plant(tmp_path, "project/run", "from .hooks import hatch")
        assert len(list(into_hooks(planted))) == 1
