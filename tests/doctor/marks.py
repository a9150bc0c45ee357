"""Which tests show which problem, read from the marks in their source code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

DIRECTORIES = ("tests/doctor", "tests/istio")


class Mark(NamedTuple):
    """One `@pytest.mark.finds("DM301")`.

    Attributes:
        id: the problem.
        test: `tests/doctor/test_x.py::test_y`.
        line: where the mark is.
    """

    id: str
    test: str
    line: int


def all_marks() -> Iterator[Mark]:
    """The marks of all tests, also of those that only `make istio` runs."""
    for directory in DIRECTORIES:
        for path in sorted((ROOT / directory).rglob("*.py")):
            yield from marks_in(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


def marks_in(source: str, name: str) -> Iterator[Mark]:
    """The marks on tests and on classes of tests, and in the parameters of tests.

    Args:
        source: of a file with tests.
        name: of that file.
    """
    yield from _marks(ast.parse(source), name)


def _marks(node: ast.AST, name: str) -> Iterator[Mark]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inside = f"{name}::{child.name}"
            for decorator in child.decorator_list:
                yield from _finds(decorator, inside)
            yield from _marks(child, inside)
        else:
            yield from _marks(child, name)


def _finds(decorator: ast.AST, test: str) -> Iterator[Mark]:
    for node in ast.walk(decorator):
        match node:
            case ast.Call(func=ast.Attribute(attr="finds"), args=[ast.Constant(value=str(id))]):
                yield Mark(id, test, node.lineno)
            case ast.Call(func=ast.Attribute(attr="finds")):
                raise ValueError(f"{test}, line {node.lineno}: the mark `finds` takes one id, as a literal")
            case _:
                pass
