"""What the plugin takes from the runtime, which it is installed beside in any version of a range."""

from __future__ import annotations

import ast
import importlib
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The range that the plugin accepts, and what it imports. While the range stays, the runtime keeps these
# names. A new name here needs a range that begins with the release of the runtime that adds it.
RANGE = "dubbo-mesh>=0.1,<0.2"
NAMES = {
    "dubbo_mesh._contract.envoy_headers": {"EnvoyHeaders", "TIMEOUT_HEADER", "suppress_warnings_in"},
    "dubbo_mesh._contract.header_checks": {"RETRIES_SLOW_ATTEMPTS", "checked"},
    "dubbo_mesh._contract.validation": {"check_domain", "check_header_value", "check_label", "check_port"},
    "dubbo_mesh.v1": {"options_pb2"},
}


def imported() -> dict[str, set[str]]:
    """What any module of the plugin imports from the runtime, by module."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "protoc_gen_dubbo_mesh").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "dubbo_mesh":
                found.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
    return found


def test_the_names_that_the_plugin_imports_are_known() -> None:
    assert imported() == NAMES


def test_the_runtime_keeps_them() -> None:
    for module, names in NAMES.items():
        for name in names:
            assert hasattr(importlib.import_module(module), name) or importlib.import_module(
                f"{module}.{name}"
            )


def test_they_are_kept_as_long_as_the_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert RANGE in project["dependencies"], "the range has changed: bring RANGE and NAMES up to date"
