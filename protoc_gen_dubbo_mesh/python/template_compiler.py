"""Compiles the templates; run `python -m protoc_gen_dubbo_mesh.python.template_compiler` after a change.

That writes `compiled_templates.py`. Until it is run, the plugin notices the change and compiles the templates
itself, which only takes longer.
"""

from __future__ import annotations

import ast
import re
from itertools import groupby
from pathlib import Path

import jinja2

from .render import FILTERS, digest, read_templates

_HEADER = """\
# Compiled from templates/python/ by `python -m protoc_gen_dubbo_mesh.python.template_compiler`. Do not edit.
# mypy: ignore-errors
# pyright: basic
from typing import Any

from protoc_gen_dubbo_mesh.python.escaping import {filters}
from protoc_gen_dubbo_mesh.python.escaping import code as escape

DIGEST = {digest}
"""


def compile_templates(sources: dict[str, str]) -> str:
    """Compiles templates, given by file name, to the source of one Python module."""
    environment = jinja2.Environment(
        autoescape=True,  # `escape` being our `escaping.code`
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.clear()
    environment.filters.update(FILTERS)
    parts = [_HEADER.format(digest=digest(sources), filters=", ".join(sorted(FILTERS)))]
    roots: list[str] = []
    for name, source in sorted(sources.items()):
        _check_tags(name, source)
        python = environment.compile(source, name, name, raw=True)
        [root] = (part for part in ast.parse(python).body if isinstance(part, ast.FunctionDef))
        root.name = _root(name)
        parts.append(ast.unparse(_Simplifier().visit(root)) + "\n")
        roots.append(f"    {name!r}: {root.name},\n")
    parts.append("ROOTS: dict[str, Any] = {\n" + "".join(roots) + "}\n")
    return "\n".join(parts)


def _check_tags(name: str, source: str) -> None:
    """Checks that each tag has a line of its own, since lines are laid out by their text."""
    for number, line in enumerate(source.splitlines(), 1):
        if "{%" in line and not _TAG.fullmatch(line):
            raise ValueError(f"{name}:{number}: a tag needs a line of its own")


def _root(template: str) -> str:
    """The name of the function that a template is compiled to."""
    return "root_" + re.sub(r"\W", "_", template)


_TAG = re.compile(r" *\{%((?!%\}).)*%\}")
_UNUSED = {"undefined", "concat", "cond_expr_undefined", "_loop_vars"}


class _Simplifier(ast.NodeTransformer):
    """Removes from jinja2's code what our templates do not need.

    Names are looked up when the function begins, and are defined then; attributes are never items; filters
    are the functions of `escaping`, and included templates are functions in the same module; the text of a
    template is returned as a whole and not yielded in pieces.
    """

    def __init__(self) -> None:
        self._filters: dict[str, str] = {}  # jinja2's name for each, and ours
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
                func=ast.Name(id="escape"), args=[ast.Call(func=ast.Name(id=name), args=arguments)]
            ):
                return _call(self._filters[name], *arguments)
            case _:
                return node

    def visit_Try(self, node: ast.Try) -> None:
        """Removes `try: t_1 = environment.filters['docstring']` and its handler.

        Also `try: for event in gen: …`, which iterates over what an included template yields.
        """
        match node.body:
            case [ast.Assign([ast.Name(id=name)], ast.Subscript(slice=ast.Constant(value=str(filter_name))))]:
                self._filters[name] = filter_name
            case [ast.For(iter=ast.Name(id="gen"))]:
                pass
            case _:
                raise ValueError(f"jinja2 generated an unknown kind of statement: {ast.unparse(node)}")

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | None:
        """Removes unused assignments; replaces `gen = …` by a call of the included template."""
        match node:
            case ast.Assign([ast.Name(id=name)]) if name in _UNUSED:
                return None
            case ast.Assign(value=ast.Name(id="missing")):
                return None  # resets the variables of a loop after it
            case ast.Assign([ast.Name(id="template")], ast.Call(args=[ast.Constant(value=str(name)), *_])):
                self._included = _root(name)
                return None
            case ast.Assign([ast.Name(id="gen")], ast.Call(args=[ast.Call(args=[_, _, variables])])):
                context = f"context.within({ast.unparse(variables)})"
                return ast.parse(f"text.append({self._included}({context}))").body[0]
            case _:
                self.generic_visit(node)
                return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.args = ast.arguments([], [ast.arg("context")], None, [], [], None, [])
        before = ast.parse("text = []; fit = context.fit; line = context.line").body
        after = ast.parse("return ''.join(text)").body
        node.body = [*before, *_gathered(node.body), *after]
        return node

    def visit_If(self, node: ast.If) -> ast.If | None:
        if isinstance(node.test, ast.Constant):
            return None  # `if 0: yield None`, which makes each function a generator
        self.generic_visit(node)
        node.body, node.orelse = _gathered(node.body), _gathered(node.orelse)
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        node.body = _gathered(node.body)
        return node


def _gathered(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Replaces `yield a`, `yield b` by `text += (a, b)`, and removes `pass`."""
    gathered: list[ast.stmt] = []
    working = [statement for statement in statements if not isinstance(statement, ast.Pass)]
    for is_text, group in groupby(working, key=lambda statement: _yielded(statement) is not None):
        if is_text:
            pieces = _laid_out([text for text in map(_yielded, group) if text is not None])
            target = ast.Name("text", ast.Store())
            gathered.append(ast.AugAssign(target, ast.Add(), ast.Tuple(pieces, ast.Load())))
        else:
            gathered += group
    return gathered


# Pieces of text that are known only when the template is rendered; a character stands for each of them.
_FIRST_UNKNOWN = 0xE000
_UNKNOWN = "\ue000-\uf8ff"
_PART = re.compile(f"([{_UNKNOWN}])|[^{_UNKNOWN}]+")
# A statement with several items in its only brackets, which follow a name.
_FITTING = re.compile(rf"( *)([^][()=]*[\w{_UNKNOWN}][\[(])([^][()]*, [^][()]*)([\])][^][()]*)")


def _laid_out(pieces: list[ast.expr]) -> list[ast.expr]:
    """Passes each line to `layout`, except constant ones; items of a statement are passed separately."""
    text = "".join(
        [
            str(piece.value) if isinstance(piece, ast.Constant) else chr(_FIRST_UNKNOWN + number)
            for number, piece in enumerate(pieces)
        ]
    )

    def joined(text: str) -> ast.expr:
        parts = [
            pieces[ord(part[1]) - _FIRST_UNKNOWN] if part[1] else ast.Constant(part[0])
            for part in _PART.finditer(text)
        ]
        # An f-string would take twice as long, since `Code` is a subclass of str.
        join = ast.Attribute(ast.Constant(""), "join", ast.Load())
        return parts[0] if len(parts) == 1 else ast.Call(join, [ast.Tuple(parts, ast.Load())], [])

    laid_out: list[ast.expr] = []
    piece: ast.expr
    known = ""
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        if all(part[1] is None for part in _PART.finditer(line)):
            known += line
            continue
        statement = line.removesuffix("\n")
        fitting = _FITTING.fullmatch(statement)
        if fitting:
            margin, head, items, tail = fitting.groups()
            several = ast.Tuple([joined(item) for item in items.split(", ")], ast.Load())
            piece = _call("fit", ast.Constant(margin), joined(head), several, joined(tail))
        else:
            whole = joined(statement)
            piece = whole if _is_docstring(whole) else _call("line", whole)
        laid_out += [ast.Constant(known), piece] if known else [piece]
        known = line[len(statement) :]
    return [*laid_out, ast.Constant(known)] if known else laid_out


def _call(function: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(function, ast.Load()), list(arguments), [])


def _is_docstring(piece: ast.expr) -> bool:
    """Whether the piece is a docstring, which is already formatted."""
    match piece:
        case ast.Call(func=ast.Name(id="docstring")):
            return True
        case _:
            return False


def _yielded(statement: ast.stmt) -> ast.expr | None:
    match statement:
        case ast.Expr(value=ast.Yield(value=value)):
            return value
        case _:
            return None


if __name__ == "__main__":
    target = Path(__file__).with_name("compiled_templates.py")
    target.write_text(compile_templates(read_templates()), encoding="utf-8")
