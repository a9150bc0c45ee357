"""Reads from source code which module imports which, without running it.

All imports count: at module level, inside functions and under `TYPE_CHECKING` alike, and calls of
`importlib.import_module` whose argument is a literal.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Import(NamedTuple):
    """One import of one module.

    Attributes:
        importer: the importing module, with dots.
        imported: the imported one. For `from a import b` it is `a.b` if that is a module of the same source
            tree, else `a`.
        line: where, in the importer.
    """

    importer: str
    imported: str
    line: int


def modules(root: Path, package: str) -> dict[str, Path]:
    """The modules of `package`, which lies in the directory `root`, by their names with dots."""
    found: dict[str, Path] = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(sources: dict[str, Path]) -> list[Import]:
    """All imports in these modules."""
    return [each for name, path in sources.items() for each in _imports_in(name, path, frozenset(sources))]


def _imports_in(importer: str, path: Path, known: frozenset[str]) -> Iterator[Import]:
    is_package = path.name == "__init__.py"
    package = importer if is_package else importer.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes(), path)):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(importer, alias.name, node.lineno)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = _absolute(module or "", level, package)
                for alias in names:
                    submodule = f"{base}.{alias.name}"
                    yield Import(importer, submodule if submodule in known else base, node.lineno)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                level = len(name) - len(name.lstrip("."))
                yield Import(importer, _absolute(name[level:], level, package), node.lineno)
            case _:
                pass


def _absolute(module: str, level: int, package: str) -> str:
    if level == 0:
        return module
    base = package.split(".")
    base = base[: len(base) - (level - 1)]
    return ".".join([*base, module] if module else base)
