"""How templates of Python are compiled: each line of text is passed to `layout`."""

from __future__ import annotations

import ast
import re

from ..templating.dialect import Dialect, call
from . import escaping

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
            piece = call("fit", ast.Constant(margin), joined(head), several, joined(tail))
        else:
            whole = joined(statement)
            piece = whole if _is_docstring(whole) else call("line", whole)
        laid_out += [ast.Constant(known), piece] if known else [piece]
        known = line[len(statement) :]
    return [*laid_out, ast.Constant(known)] if known else laid_out


def _is_docstring(piece: ast.expr) -> bool:
    """Whether the piece is a docstring, which is already formatted."""
    match piece:
        case ast.Call(func=ast.Name(id="docstring")):
            return True
        case _:
            return False


PYTHON = Dialect(
    escaping=escaping.__name__,
    escape=escaping.code.__name__,
    filters={
        filter.__name__: filter
        for filter in (escaping.arguments, escaping.comment, escaping.docstring, escaping.literal)
    },
    prologue="fit = context.fit; line = context.line",
    arrange=_laid_out,
)
