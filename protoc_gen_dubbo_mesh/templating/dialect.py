"""What the compiler has to know about the language that templates print."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Dialect(NamedTuple):
    """How the templates of one language are compiled.

    Attributes:
        escaping: the module with the functions that let text into the language.
        escape: the name of the function there that prints a value without a filter.
        filters: the filters by name: functions of that module.
        prologue: statements with which each compiled function begins.
        arrange: turns adjacent pieces of text, expressions for strings, into the pieces that are printed.
    """

    escaping: str
    escape: str
    filters: Mapping[str, Callable[..., Any]]
    prologue: str
    arrange: Callable[[list[ast.expr]], list[ast.expr]]


def call(function: str, *arguments: ast.expr) -> ast.Call:
    """The expression `function(arguments)`."""
    return ast.Call(ast.Name(function, ast.Load()), list(arguments), [])
