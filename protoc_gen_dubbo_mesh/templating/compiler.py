"""Compiles templates to plain functions."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import jinja2
from jinja2 import nodes

from .simplifier import Simplifier, root_name
from .sources import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .dialect import Dialect

_HEADER = """\
# Compiled from templates/{room}/ by `python -m protoc_gen_dubbo_mesh.compile_templates`. Do not edit.
# mypy: ignore-errors
# pyright: basic
from typing import Any

from {escaping} import {filters}
from {escaping} import {escape} as escape

DIGEST = {digest}
"""
_TAG = re.compile(r" *\{%((?!%\}).)*%\}")


def compile_templates(room: str, templates: Mapping[str, str], dialect: Dialect) -> str:
    """Compiles templates to the source of one Python module.

    Args:
        room: the package whose templates they are.
        templates: the templates by file name.
        dialect: the language that they print.

    Raises:
        ValueError: a template uses something that is not supported.
    """
    environment = jinja2.Environment(
        autoescape=True,  # with the dialect's `escape`
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.clear()
    environment.filters.update(dialect.filters)
    header = _HEADER.format(
        room=room,
        escaping=dialect.escaping,
        escape=dialect.escape,
        filters=", ".join(sorted(dialect.filters)),
        digest=digest(templates),
    )
    parts = [header]
    roots: list[str] = []
    for name, source in sorted(templates.items()):
        _check_tags(name, source)
        _check_constants(name, environment.parse(source, name))
        python = environment.compile(source, name, name, raw=True)
        [root] = (part for part in ast.parse(python).body if isinstance(part, ast.FunctionDef))
        root.name = root_name(name)
        parts.append(ast.unparse(Simplifier(name, dialect).visit(root)) + "\n")
        roots.append(f"    {name!r}: {root.name},\n")
    parts.append("ROOTS: dict[str, Any] = {\n" + "".join(roots) + "}\n")
    return "\n".join(parts)


def _check_tags(name: str, source: str) -> None:
    """Checks that each tag has a line of its own, since a line is printed as a whole or not at all."""
    for number, line in enumerate(source.splitlines(), 1):
        if "{%" in line and not _TAG.fullmatch(line):
            raise ValueError(f"{name}:{number}: a tag needs a line of its own")


def _check_constants(name: str, template: nodes.Template) -> None:
    """Checks that no constant is printed: jinja2 would escape it as HTML."""
    for output in template.find_all(nodes.Output):
        for child in output.nodes:
            if isinstance(child, nodes.TemplateData):
                continue
            try:
                child.as_const()
            except nodes.Impossible:
                continue
            raise ValueError(f"{name}:{child.lineno}: a constant must be written without braces")
