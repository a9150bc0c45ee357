"""The only ways from text into Python source.

What a proto, a file name, a parameter or a config says is data. It enters the output here and
nowhere else: as a string literal, a docstring or a comment. Templates print whatever is not `Code`
through `code`, so that forgetting a sink gives a literal and never code. (They are rendered with
jinja2's autoescape, which makes `code` our "escape".)

Each mapping is injective and what Black would write: Python reads back exactly what was put in.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast

from .errors import printable

_PLAIN = re.compile(r"[ !#-\[\]-~]*")  # ASCII that needs no escape: no quote, no backslash
_QUOTES = re.compile('"{3,}')


class Code(str):
    """Python source that we made ourselves: a checked identifier or something composed of such."""

    __slots__ = ()


def code(value: object) -> str:
    """`value` as Python source: itself if it is `Code`, else a literal of it."""
    if type(value) is Code:
        return value
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, tuple):
        items = [code(item) for item in cast("tuple[object, ...]", value)]
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise TypeError(f"no Python literal for {type(value).__name__}")


def literal(text: str) -> Code:
    """`text` as a string literal, in ASCII and between double quotes as Black wants them.

    A double quote is written as a hex escape: Black prefers single quotes to an escaped double one.
    """
    if not _PLAIN.fullmatch(text):
        text = text.encode("unicode_escape").decode("ascii").replace('"', "\\x22")
    return Code(f'"{text}"')


def arguments(pairs: tuple[tuple[Code, object], ...]) -> Code:
    """`name=literal` for each pair, between commas."""
    return Code(", ".join(f"{name}={code(value)}" for name, value in pairs))


def comment(text: str) -> Code:
    """`text` as it may stand behind a `#`: on one line."""
    return Code(printable(text))


@lru_cache(2**12)  # the twins of a service have the same
def docstring(text: str, indent: int = 0) -> Code:
    """`text`, which `comments.clean` made, as a docstring at the depth of `indent` spaces.

    Backslashes are doubled and quotes in threes are escaped, so nothing in the text ends the literal or
    escapes anything. Whatever is not printable is an escape: Python and Black disagree on which of
    those characters end a line. A quote at either end is an escape too: Black would put a space there.
    """
    margin = " " * indent
    if "\n" not in text:
        body = _escaped(text[:-1]) + "\\x22" if text.endswith('"') else _escaped(text)
        return Code(f'{margin}"""{body}"""')
    body = _escaped(text).replace("\n", f"\n{margin}")
    while margin and f"\n{margin}\n" in body:
        body = body.replace(f"\n{margin}\n", "\n\n")
    return Code(f'{margin}"""{body}\n{margin}"""')


@lru_cache(2**12)
def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\\\")
    if '"""' in escaped:
        escaped = _QUOTES.sub(lambda quotes: '\\"' * len(quotes[0]), escaped)
    if escaped.startswith('"'):
        escaped = "\\" + escaped
    if escaped.replace("\n", "").isprintable():
        return escaped
    return "\n".join(map(printable, escaped.split("\n")))
