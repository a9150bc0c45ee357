r"""The only ways for text to enter YAML.

Text from protos, file names, parameters and config files is data. It enters the output here and nowhere
else: as a scalar or a comment. Templates print every value without a filter through `scalar`, so that a
forgotten filter gives a scalar, never structure. (They are rendered with jinja2's autoescape, with `scalar`
as the escape function.)

Scalars are injective: every parser reads back exactly the original value, be it one of YAML 1.1 (PyYAML, and
Kubernetes' own, sigs.k8s.io/yaml) or of YAML 1.2. The double-quoted ones use only `\"`, `\\`, `\t`, `\n`,
`\r`, `\xNN`, `\uNNNN` and `\UNNNNNNNN`, which all of them have (yaml.org/spec/1.1/#id872840,
yaml.org/spec/1.2.2/#57-escaped-characters). They are ASCII and have no line breaks, so they fit wherever a
scalar may be: in blocks, in flow collections, and as keys of up to 1024 characters, which is YAML's limit.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

# What is printed as it is: names, DNS names, paths and type URLs; IPv4 addresses and ranges; durations. What
# may be a number, a date or a sexagesimal number (`1:30`) in any version of YAML is not among them, nor is
# anything with an indicator, so a plain scalar may also be in a flow collection.
_PLAIN = re.compile(
    r"[A-Za-z/][A-Za-z0-9_./-]*"
    r"|[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?"
    r"|([0-9]{1,9}(\.[0-9]{1,9})?(h|m|s|ms|us|ns))+"
)
# Plain words that are booleans, null or numbers to some parser, in any case.
_RESERVED = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"])
_NO_ESCAPES = re.compile(r"[ !#-\[\]-~]*")  # printable ASCII but the double quote and the backslash

# Larger integers are floating-point numbers to some parsers.
_MIN_INT = -(2**63)
_MAX_INT = 2**64 - 1


def scalar(value: object) -> str:
    """`value` as a scalar, which is read back with its type.

    Raises:
        TypeError: it is none of `str`, `bool`, `int` and `float`.
        ValueError: it is a number that not every parser can represent, or has a lone surrogate.
    """
    if isinstance(value, str):
        return _text(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        if not _MIN_INT <= value <= _MAX_INT:
            raise ValueError(f"a number in YAML must fit into 64 bits, not {value}")
        return int.__repr__(value)
    if isinstance(value, float):
        return _number(value)
    raise TypeError(f"no YAML scalar for {type(value).__name__}")


def comment(text: str) -> str:
    """`text` on one line, to follow a `#`."""
    return printable(text)


def comment_block(text: str, indent: int = 0) -> str:
    """`text` as a comment of one or several lines, each of which is indented by `indent` spaces."""
    margin = " " * indent
    return "\n".join([f"{margin}# {printable(line)}".rstrip() for line in text.split("\n")])


def note(text: str) -> str:
    """`text` as a comment at the end of a line; nothing if it is empty."""
    return f"  # {printable(text)}" if text else ""


def flow(items: Iterable[object]) -> str:
    """A sequence of scalars on one line: `[a, b]`."""
    return f"[{', '.join(map(scalar, items))}]"


def flow_mapping(pairs: Iterable[tuple[str, object]]) -> str:
    """A mapping from scalars to scalars on one line: `{a: b}`."""
    return "{" + ", ".join([f"{scalar(key)}: {scalar(value)}" for key, value in pairs]) + "}"


@lru_cache(2**12)  # the same names are printed again and again
def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return str(text)
    if _NO_ESCAPES.fullmatch(text):
        return f'"{text}"'
    text.encode()  # lone surrogates have no escape
    escaped = text.encode("unicode_escape").decode("ascii")
    return '"' + escaped.replace('"', '\\"') + '"'


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"a number in YAML must be finite, not {value}")
    digits, exponent, power = float.__repr__(value).partition("e")
    if exponent and "." not in digits:
        digits += ".0"  # without a point it is text to YAML 1.1
    return digits + exponent + power
