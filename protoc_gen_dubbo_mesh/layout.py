"""Lays statements out exactly as Black does, without Black wherever that can be known.

Templates write each statement on one line. Black leaves those that fit; our few kinds of statements that
do not, it breaks at their brackets by rules simple enough to follow here. Where its choice depends on
more than that, Black itself decides; importing it costs several times what a small run does in all.
"""

from __future__ import annotations

import re

WIDTH = 88
_STEP = 4

# Our literals hold no quote: see sinks.literal. So three quotes are the ends of docstrings, and nothing else.
_DOCSTRING_END = '"""'
_TOKEN = re.compile(r'"[^"]*"|[][(),]')


class _UnsureError(Exception):
    """How Black would break a line is beyond these rules."""


def lay_out(text: str) -> str:
    """`text` as Black would have it, if each of its lines is a statement, a bracket or a docstring's."""
    parts = text.split(_DOCSTRING_END)
    try:
        # Every other part is in a docstring, which Black leaves as it is.
        parts[::2] = map(_lay_out_code, parts[::2])
    except _UnsureError:
        return _by_black(text)
    return _DOCSTRING_END.join(parts)


def _by_black(text: str) -> str:
    import black

    return black.format_str(text, mode=black.Mode(line_length=WIDTH))


def _lay_out_code(code: str) -> str:
    lines = code.split("\n")
    if code.isascii():
        if len(code) <= WIDTH or max(map(len, lines)) <= WIDTH:
            return code
        return "\n".join([line if len(line) <= WIDTH else _break_statement(line) for line in lines])
    if any(not line.isascii() and not line.startswith("#") for line in lines):
        raise _UnsureError  # Black knows how wide each letter is
    return "\n".join(
        [line if len(line) <= WIDTH or line[0] == "#" else _break_statement(line) for line in lines]
    )


def _break_statement(line: str) -> str:
    statement = line.lstrip(" ")
    if statement.startswith(("#", "import ")):
        return line
    if statement.startswith("from "):
        return _break_import(statement)
    margin = line[: len(line) - len(statement)]
    if statement.startswith(("def ", "async def ")):
        return _break_def(statement, margin)
    if " = " in statement:
        raise _UnsureError  # Black weighs parentheses around the right side
    return _break_brackets(statement, margin)


def _break_import(statement: str) -> str:
    head, _, names = statement.partition(" import ")
    items = names.replace(", ", ",\n    ")
    return f"{head} import (\n    {items},\n)"


def _break_def(statement: str, margin: str) -> str:
    """At the parameters; all on one line if they fit there, unless there is only one."""
    start, end = statement.index("("), statement.index(")")
    parameters = statement[start + 1 : end].split(", ")
    if len(parameters) == 1:
        parameters[0] += ","
    head = _fitting(margin + statement[: start + 1])
    body = _break_items(parameters, margin + " " * _STEP)
    tail = margin + statement[end:]
    if len(tail) > WIDTH:
        tail = _break_returned(statement[end:], margin)
    return f"{head}\n{body}\n{tail}"


def _break_returned(tail: str, margin: str) -> str:
    """The annotation of what is returned: at its brackets, or within some of its own."""
    if tail.endswith("]:"):
        return _break_brackets(tail, margin)
    returned = tail.removeprefix(") -> ").removesuffix(":")
    return f"{margin}) -> (\n{margin}{' ' * _STEP}{returned}\n{margin}):"


def _break_brackets(statement: str, margin: str) -> str:
    """At the last brackets."""
    brackets = _last_brackets(statement)
    if brackets is None:
        return margin + statement
    start, end = brackets
    items = _split(statement[start + 1 : end])
    if not items[-1]:  # a tuple of one
        items = [f"{items[0]},"]
    is_tuple = len(items) > 1 and not statement[:start][-1:].isidentifier()
    head = _fitting(margin + statement[: start + 1])
    body = _break_items(items, margin + " " * _STEP, may_share_line=not is_tuple)
    return f"{head}\n{body}\n{_fitting(margin + statement[end:])}"


def _break_items(items: list[str], margin: str, *, may_share_line: bool = True) -> str:
    """What stands in brackets: on one line if it fits there, else each item on its own."""
    line = margin + ", ".join(items)
    if may_share_line and len(line) <= WIDTH:
        return line
    if len(items) == 1:
        return _break_brackets(items[0], margin)
    return "\n".join([_break_item(f"{item},", margin) for item in items])


def _break_item(item: str, margin: str) -> str:
    if len(margin) + len(item) <= WIDTH:
        return margin + item
    if " | " in item:
        name, _, union = item.removesuffix(",").partition(": ")
        inner = margin + " " * _STEP
        if len(inner) + len(union) > WIDTH:
            union = union.replace(" | ", f"\n{inner}| ")
        return f"{margin}{name}: (\n{inner}{union}\n{margin}),"
    return _break_brackets(item, margin)


def _fitting(line: str) -> str:
    if len(line) > WIDTH:
        raise _UnsureError
    return line


def _last_brackets(statement: str) -> tuple[int, int] | None:
    """Where the last of the outermost brackets open and close; a first closing one is an earlier line's."""
    if statement.count("(") + statement.count("[") == 1:
        opening, closing = ("(", ")") if "(" in statement else ("[", "]")
        return statement.index(opening), statement.rindex(closing)
    last: tuple[int, int] | None = None
    depth = start = 0
    for token in _TOKEN.finditer(statement):
        if token[0] in "([":
            if not depth:
                start = token.start()
            depth += 1
        elif token[0] in ")]" and depth:
            depth -= 1
            if not depth:
                last = start, token.start()
    return last


def _split(items: str) -> list[str]:
    """What stands between commas outside of brackets and literals."""
    if "(" not in items and "[" not in items:
        parts = items.split(", ")
        if not any(part.count('"') == 1 for part in parts):
            return parts
    split: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(items):
        if token[0] in "([":
            depth += 1
        elif token[0] in ")]":
            depth -= 1
        elif token[0] == "," and not depth:
            split.append(items[start : token.start()])
            start = token.end() + 1
    return [*split, items[start:]]
