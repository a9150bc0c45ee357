"""Turns the code that jinja2 generates into plain functions."""

from __future__ import annotations

import ast
import re
from itertools import groupby
from typing import TYPE_CHECKING

from jinja2.runtime import exported

from .dialect import call

if TYPE_CHECKING:
    from .dialect import Dialect

_UNUSED = {"undefined", "concat", "cond_expr_undefined", "_loop_vars"}
_JINJAS = {*exported, "environment", *_UNUSED} - {"escape"}  # names of what does not exist without jinja2
_CONTEXT = {"resolve_or_missing", "within"}


def root_name(template: str) -> str:
    """The name of the function that a template is compiled to."""
    return "root_" + re.sub(r"\W", "_", template)


class Simplifier(ast.NodeTransformer):
    """Removes from jinja2's code what our templates do not need.

    Names are looked up when the function begins, and are defined then; attributes are never items; filters
    are the functions of the dialect, and included templates are functions in the same module; the text of a
    template is returned as a whole and not yielded in pieces.

    Args:
        template: the file name of the template.
        dialect: the language that it prints.
    """

    def __init__(self, template: str, dialect: Dialect) -> None:
        self._template = template
        self._dialect = dialect
        self._functions: dict[str, str] = {}  # jinja2's name for each filter and test, and ours
        self._included = ""  # the function of the template that is included next

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """Replaces `undefined(name='x') if x is missing else x` by `x`."""
        self.generic_visit(node)
        match node:
            case ast.IfExp(test=ast.Compare(comparators=[ast.Name(id="missing")]), orelse=name):
                return name
            case _:
                return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Replaces `environment.getattr(x, 'name')` by `x.name`, and `escape(t_1(x))` by `docstring(x)`."""
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(attr="getattr"), args=[value, ast.Constant(value=str(name))]):
                return ast.Attribute(value, name, ast.Load())
            case ast.Call(
                func=ast.Name(id="escape"), args=[ast.Call(func=ast.Name(id=name)) as filtered]
            ) if name in self._dialect.filters:
                return filtered
            case ast.Call(func=ast.Name(id=name), args=[value]) if self._functions.get(name) == "none":
                return ast.Compare(value, [ast.Is()], [ast.Constant(None)])
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in self._functions:
                return call(self._functions[name], *arguments)
            case _:
                return node

    def visit_Try(self, node: ast.Try) -> None:
        """Removes `try: t_1 = environment.filters['docstring']` and its handler.

        Also `try: for event in gen: …`, which iterates over what an included template yields.
        """
        match node.body:
            case [ast.Assign([ast.Name(id=name)], ast.Subscript(slice=ast.Constant(value=str(function))))]:
                if function not in {"none", *self._dialect.filters}:
                    raise ValueError(f"{self._template}: the test {function!r} is not supported")
                self._functions[name] = function
            case [ast.For(iter=ast.Name(id="gen"))]:
                pass
            case _:
                raise self._unsupported(node)

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | None:
        """Removes unused assignments; replaces `gen = …` by a call of the included template."""
        match node:
            case ast.Assign([ast.Name(id=name)]) if name in _UNUSED:
                return None
            case ast.Assign(value=ast.Name(id="missing")):
                return None  # resets the variables of a loop after it
            case ast.Assign([ast.Name(id="template")], ast.Call(args=[ast.Constant(value=str(name)), *_])):
                self._included = root_name(name)
                return None
            case ast.Assign([ast.Name(id="gen")], ast.Call(args=[ast.Call(args=[_, _, variables])])):
                context = f"context.within({ast.unparse(variables)})"
                return ast.parse(f"text.append({self._included}({context}))").body[0]
            case _:
                self.generic_visit(node)
                return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Makes a plain function of the generator."""
        self.generic_visit(node)
        for statement in node.body:
            self._check(statement)
        node.args = ast.arguments([], [ast.arg("context")], None, [], [], None, [])
        before = ast.parse(f"text = []\n{self._dialect.prologue}").body
        after = ast.parse("return ''.join(text)").body
        node.body = [*before, *self._gathered(node.body), *after]
        return node

    def visit_If(self, node: ast.If) -> ast.If | None:
        """Gathers the text of both branches."""
        if isinstance(node.test, ast.Constant):
            return None  # `if 0: yield None`, which makes each function a generator
        self.generic_visit(node)
        node.body, node.orelse = self._gathered(node.body) or [ast.Pass()], self._gathered(node.orelse)
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        """Gathers the text of the loop's body."""
        self.generic_visit(node)
        node.body = self._gathered(node.body) or [ast.Pass()]
        return node

    def _gathered(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Replaces `yield a`, `yield b` by `text += (a, b)`, and removes `pass`."""
        gathered: list[ast.stmt] = []
        working = [statement for statement in statements if not isinstance(statement, ast.Pass)]
        for is_text, group in groupby(working, key=lambda statement: _yielded(statement) is not None):
            if is_text:
                pieces = self._dialect.arrange([text for text in map(_yielded, group) if text is not None])
                target = ast.Name("text", ast.Store())
                gathered.append(ast.AugAssign(target, ast.Add(), ast.Tuple(pieces, ast.Load())))
            else:
                gathered += group
        return gathered

    def _check(self, statement: ast.stmt) -> None:
        """Checks that nothing is left that needs jinja2, such as `loop`, `{% set %}`, calls and `~`."""
        for node in ast.walk(statement):
            match node:
                case ast.Name(id=name) if name in _JINJAS:
                    raise self._unsupported(statement)
                case ast.Attribute(value=ast.Name(id="context"), attr=name) if name not in _CONTEXT:
                    raise self._unsupported(statement)
                case _:
                    pass

    def _unsupported(self, node: ast.stmt) -> ValueError:
        return ValueError(
            f"{self._template}: the template uses what is not supported: {ast.unparse(node).splitlines()[0]}"
        )


def _yielded(statement: ast.stmt) -> ast.expr | None:
    match statement:
        case ast.Expr(value=ast.Yield(value=value)):
            return value
        case _:
            return None
