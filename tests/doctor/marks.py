"""Which tests show which problem, read from the marks in their source code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

_ID = re.compile("DM[0-9]{3}")

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


def marks_in(source: str, name: str, root: Path = ROOT) -> Iterator[Mark]:
    """The marks on tests and on classes of tests, and in the parameters of tests.

    Args:
        source: of a file with tests.
        name: of that file.
        root: where modules are imported from, for tables of parameters.
    """
    tree = ast.parse(source)
    yield from _marks(tree, name, _Tables(tree, root))


class _Tables:
    """The tables that a file imports, such as `FAULTS`, and the ids in them."""

    def __init__(self, tree: ast.Module, root: Path) -> None:
        self._root = root
        self._modules = {
            alias.name: node.module
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }

    def ids(self, table: str) -> list[str]:
        """The ids that stand in a table, as literals.

        Raises:
            KeyError: the file does not import it.
        """
        path = self._root / f"{self._modules[table].replace('.', '/')}.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(each, ast.Name) and each.id == table for each in targets):
                constants = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
                return [each for each in constants if isinstance(each, str) and _ID.fullmatch(each)]
        return []


def _marks(node: ast.AST, name: str, tables: _Tables) -> Iterator[Mark]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inside = f"{name}::{child.name}"
            for decorator in child.decorator_list:
                yield from _finds(decorator, inside, tables)
            yield from _marks(child, inside, tables)
        else:
            yield from _marks(child, name, tables)


def _finds(decorator: ast.AST, test: str, tables: _Tables) -> Iterator[Mark]:
    """The marks in a decorator. `finds(each.id)`, for each of a table, marks with all ids in the table."""
    for node in ast.walk(decorator):
        match node:
            case ast.Call(func=ast.Attribute(attr="finds"), args=[ast.Constant(value=str(id))]):
                yield Mark(id, test, node.lineno)
            case ast.ListComp(
                elt=element,
                generators=[ast.comprehension(target=ast.Name(id=each), iter=ast.Name(id=table))],
            ) if _marks_each(element, each):
                for id in tables.ids(table):
                    yield Mark(id, test, node.lineno)
            case ast.Call(func=ast.Attribute(attr="finds"), args=[ast.Attribute(attr="id")]):
                pass  # in a list comprehension, as above
            case ast.Call(func=ast.Attribute(attr="finds")):
                raise ValueError(f"{test}, line {node.lineno}: the mark `finds` takes one id, as a literal")
            case _:
                pass


def _marks_each(element: ast.AST, each: str) -> bool:
    """Whether `pytest.param(…, marks=pytest.mark.finds(each.id))` is in there."""
    for node in ast.walk(element):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="finds"), args=[ast.Attribute(attr="id", value=ast.Name(id=name))]
            ):
                return name == each
            case _:
                pass
    return False
