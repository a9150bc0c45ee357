"""The only ways for text to enter Python source.

Text from protos, file names, parameters and config files is data. It enters the output here and nowhere
else: as a string literal, a docstring or a comment. Templates print everything that is not `Code` through
`code`, so that a forgotten sink gives a literal, never code. (They are rendered with jinja2's autoescape,
with `code` as the escape function.)

Each function is injective and writes what Black would: Python reads back exactly the original text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast

from ..errors import printable

_PLAIN = re.compile(r"[ !#-\[\]-~]*")  # ASCII that needs no escape: neither quote nor backslash
_QUOTES = re.compile('"{3,}')


class Code(str):
    """Python source that is safe to print: checked identifiers, and what is composed of them."""

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
    """`text` as a string literal, in ASCII and in double quotes, which Black prefers.

    Double quotes in the text become hex escapes, since Black prefers single quotes to escaped double ones.
    """
    if not _PLAIN.fullmatch(text):
        text = text.encode("unicode_escape").decode("ascii").replace('"', "\\x22")
    return Code(f'"{text}"')


def arguments(pairs: tuple[tuple[Code, object], ...]) -> Code:
    """`name=literal` for each pair, separated by commas."""
    return Code(", ".join(f"{name}={code(value)}" for name, value in pairs))


def comment(text: str) -> Code:
    """`text` on one line, to follow a `#`."""
    return Code(printable(text))


@lru_cache(2**12)  # sync and async classes have the same docstrings
def docstring(text: str, indent: int = 0) -> Code:
    """`text`, a result of `source_info.clean`, as a docstring that is indented by `indent` spaces.

    Backslashes are doubled and triple quotes escaped, so that nothing in the text can end the literal or
    escape anything. Characters that are not printable become escapes, since Python and Black disagree on
    which of them end a line. So does a quote at either end, next to which Black would put a space.
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
