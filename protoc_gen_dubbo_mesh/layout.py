"""Lays statements out exactly as Black does, without Black wherever that can be known.

Templates write each statement on one line. Black leaves those that fit; our few kinds of statements that
do not, it breaks at their brackets by rules simple enough to follow here. Where its choice depends on
more than that, Black itself decides; importing it costs several times what a small run does in all.
"""

from __future__ import annotations

import re

WIDTH = 88
_STEP = 4

# Our literals hold no quote: see sinks.literal.
_TOKEN = re.compile(r'"[^"]*"|[][(),]')
_QUOTES = '"""'


class _UnsureError(Exception):
    """How Black would break a line is beyond these rules."""


def lay_out(text: str) -> str:
    """`text` as Black would have it, if each of its lines is a statement, a bracket or a docstring's."""
    if text.isascii() and max(map(len, text.split("\n"))) <= WIDTH:
        return text
    laid_out: list[str] = []
    in_docstring = False
    try:
        for line in text.split("\n"):
            if in_docstring or line.lstrip(" ").startswith(_QUOTES):
                ends = line.endswith(_QUOTES) and (in_docstring or line.strip(" ") != _QUOTES)
                in_docstring = not ends
                laid_out.append(line)
            elif len(line) <= WIDTH and line.isascii():
                laid_out.append(line)
            else:
                laid_out += _break_statement(line)
    except _UnsureError:
        return _by_black(text)
    return "\n".join(laid_out)


def _by_black(text: str) -> str:
    import black

    return black.format_str(text, mode=black.Mode(line_length=WIDTH))


def _break_statement(line: str) -> list[str]:
    statement = line.lstrip(" ")
    indent = len(line) - len(statement)
    if statement.startswith("#"):
        return [line]
    if not line.isascii():
        raise _UnsureError  # Black knows how wide each letter is
    if statement.startswith("import "):
        return [line]
    if statement.startswith("from "):
        return _break_import(statement)
    if statement.startswith(("def ", "async def ")):
        return _break_def(statement, indent)
    if " = " in statement:
        raise _UnsureError  # Black weighs parentheses around the right side
    return _break_brackets(statement, indent)


def _break_import(statement: str) -> list[str]:
    head, _, names = statement.partition(" import ")
    return [f"{head} import (", *(f"    {name}," for name in names.split(", ")), ")"]


def _break_def(statement: str, indent: int) -> list[str]:
    """At the parameters; all on one line if they fit there, unless there is only one."""
    start, end = _brackets(statement)[0]
    parameters = _split(statement[start + 1 : end])
    if len(parameters) == 1:
        parameters[0] += ","
    body = _break_items(parameters, indent + _STEP)
    margin = " " * indent
    tail = statement[end:]
    if indent + len(tail) <= WIDTH:
        return [*_fitting(margin + statement[: start + 1]), *body, margin + tail]
    if not tail.endswith("]:"):
        raise _UnsureError
    return [*_fitting(margin + statement[: start + 1]), *body, *_break_brackets(tail, indent)]


def _break_brackets(statement: str, indent: int) -> list[str]:
    """At the last brackets."""
    pairs = _brackets(statement)
    if not pairs:
        return [" " * indent + statement]
    start, end = pairs[-1]
    items = _split(statement[start + 1 : end])
    if not items[-1]:  # a tuple of one
        items = [f"{items[0]},"]
    is_tuple = len(items) > 1 and not statement[:start][-1:].isidentifier()
    body = _break_items(items, indent + _STEP, may_share_line=not is_tuple)
    margin = " " * indent
    return [*_fitting(margin + statement[: start + 1]), *body, *_fitting(margin + statement[end:])]


def _break_items(items: list[str], indent: int, *, may_share_line: bool = True) -> list[str]:
    """What stands in brackets: on one line if it fits there, else each item on its own."""
    line = " " * indent + ", ".join(items)
    if may_share_line and len(line) <= WIDTH:
        return [line]
    lines: list[str] = []
    for item in items:
        full = item if len(items) == 1 else f"{item},"
        if indent + len(full) <= WIDTH:
            lines.append(" " * indent + full)
        elif " | " in item:
            name, _, union = item.partition(": ")
            union = " " * (indent + _STEP) + union
            lines += [" " * indent + f"{name}: (", *_fitting(union), " " * indent + "),"]
        else:
            lines += _break_brackets(full, indent)
    return lines


def _fitting(line: str) -> list[str]:
    if len(line) > WIDTH:
        raise _UnsureError
    return [line]


def _brackets(statement: str) -> list[tuple[int, int]]:
    """Where the outermost brackets open and close, a first closing one of an earlier line apart."""
    pairs: list[tuple[int, int]] = []
    depth = start = 0
    for token in _TOKEN.finditer(statement):
        if token[0] in "([":
            if not depth:
                start = token.start()
            depth += 1
        elif token[0] in ")]" and depth:
            depth -= 1
            if not depth:
                pairs.append((start, token.start()))
    return pairs


def _split(items: str) -> list[str]:
    """What stands between commas outside of brackets."""
    parts: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(items):
        if token[0] in "([":
            depth += 1
        elif token[0] in ")]":
            depth -= 1
        elif token[0] == "," and not depth:
            parts.append(items[start : token.start()])
            start = token.end() + 1
    return [*parts, items[start:]]
