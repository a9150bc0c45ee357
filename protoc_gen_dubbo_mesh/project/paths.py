"""Paths and their text, in any locale.

protoc and TOML files are UTF-8. Python decodes paths by the locale: in an ASCII locale, the path `größe` has
surrogates, and can be opened but not written to a file. A string with the real letters cannot be opened.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pathlib import Path

_IS_UTF_8 = sys.getfilesystemencoding() == "utf-8"  # always so on Windows


def from_text(text: str) -> str:
    """The path that is `text` in UTF-8, as Python's functions for files expect it."""
    return text if _IS_UTF_8 else os.fsdecode(text.encode("utf-8", "surrogateescape"))


def to_text(path: str | Path) -> str:
    """The path as text, for messages and for what is compared between machines; see `from_text`."""
    return str(path) if _IS_UTF_8 else os.fsencode(path).decode("utf-8", "surrogateescape")


def from_setting(text: str) -> str:
    """The path that a setting means: what Python can open is left as it is, such as arguments."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return from_text(text)
    return text


def encodable(text: str, stream: TextIO) -> str:
    """`text`, with characters escaped that `stream` cannot write."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
