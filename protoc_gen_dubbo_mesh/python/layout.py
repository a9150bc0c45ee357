"""Lays statements out exactly as Black does, without running Black wherever the result is predictable.

Each statement is one line in a template. Black keeps those that fit. The few kinds of ours that do not fit
it breaks at their brackets, by rules that are simple enough to implement here. Where its choice depends on
more than that, Black itself is run; importing it takes several times as long as a small run in total.
"""

from __future__ import annotations

import re

WIDTH = 88
_STEP = "    "

# Our literals contain no quotes (see escaping.literal): three quotes always delimit a docstring.
_DOCSTRING_END = '"""'
_BREAKABLE = frozenset("([|")  # an item that contains one of these is itself broken if it is too long
_TOKEN = re.compile(r'"[^"]*"|[][(),]')


class UnsureError(Exception):
    """These rules do not cover how Black would lay out a statement."""


def fit(margin: str, head: str, items: tuple[str, ...], tail: str) -> str:
    """Lays out a statement with several `items` in brackets, which `head` opens and `tail` closes.

    Raises:
        UnsureError: these rules do not cover it.
    """
    body = ", ".join(items)
    text = f"{margin}{head}{body}{tail}"
    if not text.isascii():
        return line(text)
    if len(text) <= WIDTH:
        return text
    room = WIDTH - len(margin)
    if room >= len(head) and room >= len(tail):
        inner = margin + _STEP
        if len(_STEP) + len(body) <= room:
            return f"{margin}{head}\n{inner}{body}\n{margin}{tail}"
        if len(_STEP) + max(map(len, items)) < room or _BREAKABLE.isdisjoint(body):
            body = f",\n{inner}".join(items)
            return f"{margin}{head}\n{inner}{body},\n{margin}{tail}"
    return line(text)


def line(text: str) -> str:
    """Lays out any other statement, or something else on a line of its own: a bracket, comment or docstring.

    Raises:
        UnsureError: these rules do not cover it.
    """
    if len(text) <= WIDTH and text.isascii():
        return text
    if text.startswith("#") or _DOCSTRING_END in text:
        return text
    if not text.isascii():
        raise UnsureError  # Black measures the width of each character
    return _break_statement(text)


def join(margin: str, head: str, items: tuple[str, ...], tail: str) -> str:
    """A statement on one line, as input for Black."""
    return f"{margin}{head}{', '.join(items)}{tail}"


def by_black(text: str) -> str:
    """Formats a module with Black; each of its statements is on one line."""
    import black

    return black.format_str(text, mode=black.Mode(line_length=WIDTH))


def _break_statement(line: str) -> str:
    statement = line.lstrip(" ")
    if statement.startswith("from "):
        return _break_import(statement)
    if " = " in statement:
        raise UnsureError  # Black may add parentheses around the right side
    if "(" not in statement and "[" not in statement:
        return line
    margin = line[: len(line) - len(statement)]
    if statement.startswith(("def ", "async def ")):
        return _break_def(statement, margin)
    return _break_brackets(statement, margin)


def _break_import(statement: str) -> str:
    head, _, names = statement.partition(" import ")
    items = names.replace(", ", ",\n    ")
    return f"{head} import (\n    {items},\n)"


def _break_def(statement: str, margin: str) -> str:
    """Breaks a function's head at its parameters: several stay on one line if they fit there."""
    start, end = statement.index("("), statement.index(")")
    parameters = statement[start + 1 : end]
    if ", " not in parameters:
        parameters += ","
    head = _fitting(margin + statement[: start + 1])
    tail = margin + statement[end:]
    if len(tail) > WIDTH:
        tail = _break_returned(statement[end:], margin)
    return f"{head}\n{_break_body(parameters, margin + _STEP)}\n{tail}"


def _break_returned(tail: str, margin: str) -> str:
    """Breaks the annotation of the result: at its brackets, or by parentheses around it."""
    if tail.endswith("]:"):
        return _break_brackets(tail, margin)
    returned = tail.removeprefix(") -> ").removesuffix(":")
    return f"{margin}) -> (\n{margin}{_STEP}{returned}\n{margin}):"


def _break_brackets(statement: str, margin: str) -> str:
    """Breaks a statement at its last brackets."""
    brackets = _last_brackets(statement)
    if brackets is None:
        return margin + statement
    start, end = brackets
    head = _fitting(margin + statement[: start + 1])
    tail = _fitting(margin + statement[end:])
    body = statement[start + 1 : end]
    is_tuple = "," in body and not statement[start - 1].isidentifier()
    return f"{head}\n{_break_body(body, margin + _STEP, one_line=not is_tuple)}\n{tail}"


def _break_body(body: str, margin: str, *, one_line: bool = True) -> str:
    """Lays out the content of brackets: on one line if it fits there, else one item per line."""
    if one_line and len(margin) + len(body) <= WIDTH:
        return margin + body
    items = _split(body)
    if len(items) == 1:
        return _break_brackets(body, margin)
    return "\n".join([_break_item(f"{item},", margin) for item in items if item])


def _break_item(item: str, margin: str) -> str:
    if len(margin) + len(item) <= WIDTH:
        return margin + item
    if " | " in item:
        name, _, union = item.removesuffix(",").partition(": ")
        inner = margin + _STEP
        if len(inner) + len(union) > WIDTH:
            union = union.replace(" | ", f"\n{inner}| ")
        return f"{margin}{name}: (\n{inner}{union}\n{margin}),"
    return _break_brackets(item, margin)


def _fitting(line: str) -> str:
    if len(line) > WIDTH:
        raise UnsureError
    return line


def _last_brackets(statement: str) -> tuple[int, int] | None:
    """Where the last outermost brackets open and close; a leading `)` belongs to an earlier line."""
    opening = statement.count("(") + statement.count("[")
    if not opening:
        return None
    if opening == 1:
        pair = "()" if "(" in statement else "[]"
        return statement.index(pair[0]), statement.rindex(pair[1])
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
    """Splits at the commas outside of brackets and literals."""
    if "(" not in items and "[" not in items:
        literal = items.find('"')
        if literal < 0 or items.rfind(", ") < literal:
            return items.split(", ")
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
