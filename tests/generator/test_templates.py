"""Templates are compiled ahead of time, and compiled again when they have changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import protoc_gen_dubbo_mesh
from protoc_gen_dubbo_mesh import compile_templates as program
from protoc_gen_dubbo_mesh.python import escaping
from protoc_gen_dubbo_mesh.python.dialect import PYTHON
from protoc_gen_dubbo_mesh.python.render import LayoutContext
from protoc_gen_dubbo_mesh.templating import sources
from protoc_gen_dubbo_mesh.templating.compiler import compile_templates
from protoc_gen_dubbo_mesh.templating.dialect import Dialect
from protoc_gen_dubbo_mesh.yaml.dialect import YAML
from protoc_gen_dubbo_mesh.yaml.render import Renderer
from tests.generator.compiling import descriptors, generate

PACKAGE = Path(protoc_gen_dubbo_mesh.__file__).parent


@pytest.mark.parametrize("room", sources.rooms())
def test_compiled_templates_are_current(room: str) -> None:
    kept = program.path(room).read_text(encoding="utf-8")
    assert kept == program.compiled(room), f"run: python -m {program.__name__}"


def test_a_changed_template_takes_effect_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = sources.read_templates("python")
    changed["register.py.j2"] += "# {{ service.full_name }}\n"
    monkeypatch.setattr(sources, "read_templates", {"python": changed}.__getitem__)
    tmp_path.joinpath("test.proto").write_text('syntax = "proto3";\nservice S {}\n', encoding="utf-8")
    got = generate(descriptors(tmp_path, ["test.proto"], tmp_path), ["test.proto"])
    assert got.files["test_mesh.py"].endswith('# "S"\n')


@pytest.mark.parametrize("room", sources.rooms())
def test_templates_are_found_in_a_wheel_too(
    room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_source_tree = sources.read_templates(room)
    installed = tmp_path / "protoc_gen_dubbo_mesh"
    shutil.copytree(PACKAGE.parent / "templates", installed / "templates")
    monkeypatch.setattr(sources, "__file__", str(installed / "templating" / "sources.py"))
    assert sources.read_templates(room) == in_source_tree


def roots(templates: dict[str, str], dialect: Dialect = PYTHON) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile_templates("test", templates, dialect), namespace)
    found: dict[str, Any] = namespace["ROOTS"]
    return found


def rendered(template: str, **variables: object) -> str:
    text: str = roots({"test.j2": template})["test.j2"](LayoutContext(variables))
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


@pytest.mark.parametrize(
    "template",
    [
        "{% set x = value %}",
        "{% for x in value %}\n{% if loop.first %}\n{% endif %}\n{% endfor %}",
        "{{ value ~ value }}",
        "{{ value.upper() }}",
        "{{ value[0] }}",
        "{{ value if value }}",
        "{% if value is defined %}\n{% endif %}",
    ],
    ids=["set", "loop", "concatenation", "call", "item", "if without else", "test"],
)
def test_what_needs_jinja_at_run_time_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"^test.j2: .* not supported"):
        rendered(template, value="x")


@pytest.mark.parametrize("constant", ["'a: b'", "1", "'a' | literal"])
def test_a_printed_constant_is_refused(constant: str) -> None:
    with pytest.raises(ValueError, match=r"^test.j2:2: a constant must be written without braces$"):
        rendered(f"\n{{{{ {constant} }}}}")


class Values:
    """Attributes for templates."""

    def __init__(self, **values: object) -> None:
        self.__dict__ = values


class TestYaml:
    """Templates of YAML, compiled and rendered as those of the emitters."""

    @pytest.fixture
    def room(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """The templates of a room, which are compiled when they are first rendered."""
        templates: dict[str, str] = {}
        monkeypatch.setattr(sources, "read_templates", {"some_room": templates}.__getitem__)
        return templates

    def test_all_that_templates_may_use(self, room: dict[str, str]) -> None:
        room["app.yaml.j2"] = """\
{# Not printed. #}
# Generated from {{ app.source | comment }}.
{{ app.text | comment_block }}
hosts: {{ app.hosts | flow }}
labels: {{ app.labels | flow_mapping }}
{% if app.routes %}
routes:
{% for route in app.routes %}
{% include "route.yaml.j2" %}
{% endfor %}
{% else %}
routes: []
{% endif %}
{% for key, value in app.labels %}
{{ key }}: {{ value }}{{ app.origin | note }}
{% else %}
none: true
{% endfor %}
"""
        room["route.yaml.j2"] = """\
  - name: {{ route.name }}
{% if route.port is not none and route.port != 80 %}
    port: {{ route.port }}
{% elif route.port is none %}
    app: {{ "yes" if app.hosts else route.name }}
{% endif %}
"""
        app = Values(
            source="a.proto",
            text="One.\n\nTwo. ",
            hosts=["a", "*.b"],
            labels=[("version", "1.0"), ("off", "x")],
            routes=[Values(name="a: b", port=None), Values(name="r", port=81), Values(name="s", port=80)],
            origin="",
        )
        text = Renderer("some_room").render("app.yaml.j2", app=app)
        assert (
            text
            == """\
# Generated from a.proto.
# One.
#
# Two.
hosts: [a, "*.b"]
labels: {version: "1.0", "off": x}
routes:
  - name: "a: b"
    app: "yes"
  - name: r
    port: 81
  - name: s
version: "1.0"
"off": x
"""
        )
        assert yaml.safe_load(text)["off"] == "x"

    def test_blanks_and_newlines_at_the_end_are_removed(self, room: dict[str, str]) -> None:
        room["app.yaml.j2"] = "# {{ text | comment }}\na: {{ text }}\n\n# {{ text | comment }}\n\n"
        assert Renderer("some_room").render("app.yaml.j2", text="") == '#\na: ""\n\n#\n'

    @pytest.mark.parametrize("value", [None, ["a"], ("a",), {"a": "b"}, b"a", Values()])
    def test_what_is_not_a_scalar_is_an_error(self, value: object, room: dict[str, str]) -> None:
        room["app.yaml.j2"] = "a: {{ value }}\n"
        with pytest.raises(TypeError, match="no YAML scalar for"):
            Renderer("some_room").render("app.yaml.j2", value=value)

    def test_a_filter_within_an_expression_gives_a_scalar(self) -> None:
        test = roots({"test.j2": "{{ (x | flow) if x else x }}"}, YAML)["test.j2"]
        assert test(LayoutContext({"x": ["a"]})) == '"[a]"'

    def test_a_room_without_templates_is_an_error(self) -> None:
        with pytest.raises(FileNotFoundError):
            Renderer("no_such_room")
