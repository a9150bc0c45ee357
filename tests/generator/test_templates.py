"""Templates are compiled ahead of time, and compiled again when they have changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import protoc_gen_dubbo_mesh
from protoc_gen_dubbo_mesh.python import compiled_templates, escaping, layout, render
from protoc_gen_dubbo_mesh.python.template_compiler import compile_templates
from protoc_gen_dubbo_mesh.python.template_runtime import Context
from tests.generator.compiling import descriptors, generate

PACKAGE = Path(protoc_gen_dubbo_mesh.__file__).parent


def test_compiled_templates_are_current() -> None:
    current = compile_templates(render.read_templates())
    kept = Path(compiled_templates.__file__).read_text(encoding="utf-8")
    assert kept == current, "run: python -m protoc_gen_dubbo_mesh.python.template_compiler"


def test_a_changed_template_takes_effect_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = render.read_templates()
    changed["register.py.j2"] += "# {{ service.full_name }}\n"
    monkeypatch.setattr(render, "read_templates", lambda: changed)
    tmp_path.joinpath("test.proto").write_text('syntax = "proto3";\nservice S {}\n', encoding="utf-8")
    got = generate(descriptors(tmp_path, ["test.proto"], tmp_path), ["test.proto"])
    assert got.files["test_mesh.py"].endswith('# "S"\n')


def test_templates_are_found_in_a_wheel_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_source_tree = render.read_templates()
    installed = tmp_path / "protoc_gen_dubbo_mesh"
    shutil.copytree(PACKAGE.parent / "templates", installed / "templates")
    monkeypatch.setattr(render, "__file__", str(installed / "python" / "render.py"))
    assert render.read_templates() == in_source_tree


def rendered(template: str, **variables: object) -> str:
    namespace: dict[str, Any] = {}
    exec(compile_templates({"test.j2": template}), namespace)
    text: str = namespace["ROOTS"]["test.j2"](Context(variables, layout.fit, layout.line))
    return text


def test_values_other_than_code_are_rendered_as_literals() -> None:
    assert rendered("x = {{ value }}", value='"); import os; ("') == 'x = "\\x22); import os; (\\x22"'
    assert rendered("x = {{ value }}", value=escaping.Code("name")) == "x = name"


def test_jinja_in_a_value_stays_text() -> None:
    assert rendered("{{ value }}", value="{{ 7 * 7 }}") == '"{{ 7 * 7 }}"'


def test_an_undefined_name_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="'missing_name' is undefined"):
        rendered("{{ missing_name }}")


def test_an_undefined_attribute_is_an_error() -> None:
    with pytest.raises(AttributeError):
        rendered("{{ value.missing }}", value=escaping.Code("x"))


@pytest.mark.parametrize("line", ["a {% if b %}", "{% if b %} a", "{% if b %}{% endif %}"])
def test_a_tag_that_shares_its_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"^test.j2:2: a tag needs a line of its own$"):
        rendered(f"\n{line}\n{{% endif %}}\n")
