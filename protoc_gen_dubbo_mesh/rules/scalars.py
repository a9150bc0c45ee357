"""What scalars of YAML are to Java (SnakeYAML, YAML 1.1) and to Go (yaml.v3, by the type of the field)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Scalar


class Kind(StrEnum):
    """The type that YAML 1.1 gives a scalar."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "number"
    NULL = "null"
    DATE = "date"


_TRUE = frozenset(["yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE = frozenset(["no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_LONGEST = 100  # digits; more than any of Java's or Go's integers have, and int() refuses 4,300
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(:[0-5]?[0-9])+)")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.[0-9_]+([eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|\.(inf|Inf|INF))|\.(nan|NaN|NAN)"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_GO_TRUE = frozenset(["y", "Y", *_TRUE])
_GO_FALSE = frozenset(["n", "N", *_FALSE])


_DIGITS = re.compile(r"[\d_]{1001}")


def has_long_number(text: str) -> bool:
    """Whether a text has a number that is too long to be converted in bounded time."""
    return len(text) > 1000 and _DIGITS.search(text) is not None


def kind(scalar: Scalar) -> Kind:
    """The type of a scalar in YAML 1.1."""
    text = scalar.text
    if not scalar.plain:
        return Kind.TEXT
    if text in _NULL:
        return Kind.NULL
    if text in _TRUE or text in _FALSE:
        return Kind.BOOLEAN
    if _INTEGER.fullmatch(text):
        return Kind.INTEGER
    if _FLOAT.fullmatch(text):
        return Kind.FLOAT
    return Kind.DATE if _DATE.fullmatch(text) else Kind.TEXT


def java_text(scalar: Scalar) -> str:
    """A scalar as Java prints it (String.valueOf)."""
    match kind(scalar):
        case Kind.BOOLEAN:
            return "true" if scalar.text in _TRUE else "false"
        case Kind.NULL:
            return "null"
        case Kind.INTEGER if len(scalar.text) <= _LONGEST and _DECIMAL.fullmatch(scalar.text):
            return str(int(scalar.text))
        case _:
            return scalar.text


def java_true(scalar: Scalar | None, *, default: bool) -> bool:
    """A scalar as a boolean: Boolean.parseBoolean of its text. Null counts as absent."""
    if scalar is None or kind(scalar) is Kind.NULL:
        return default
    return java_text(scalar).lower() == "true"


def is_java_text(scalar: Scalar | None) -> bool:
    """Whether Java can cast a scalar to String."""
    return scalar is None or kind(scalar) in {Kind.TEXT, Kind.NULL}


def java_integer(scalar: Scalar | None) -> int | None:
    """A scalar as an integer (Integer.parseInt of its text), 0 if it is absent; None: it is no integer."""
    if scalar is None or kind(scalar) is Kind.NULL:
        return 0
    text = java_text(scalar)
    if len(text) > _LONGEST or not re.fullmatch(r"[-+]?[0-9]+", text):
        return None
    return int(text) if -(2**31) <= int(text) < 2**31 else None


def go_boolean(scalar: Scalar | None) -> bool | None:
    """A scalar in a field of type bool; None if it is absent or null.

    Raises:
        ValueError: it is no boolean, so that Go refuses the rule.
    """
    if scalar is None or (scalar.plain and scalar.text in _NULL):
        return None
    if scalar.plain and scalar.text in _GO_TRUE:
        return True
    if scalar.plain and scalar.text in _GO_FALSE:
        return False
    raise ValueError(f"{scalar.text} is no boolean")


def go_integer(scalar: Scalar | None) -> int:
    """A scalar in a field of type int; 0 if it is absent or null.

    Raises:
        ValueError: it is no integer, so that Go refuses the rule.
    """
    if scalar is None or (scalar.plain and scalar.text in _NULL):
        return 0
    if scalar.plain and len(scalar.text) <= _LONGEST and _DECIMAL.fullmatch(scalar.text):
        return int(scalar.text)
    raise ValueError(f"{scalar.text} is no integer")
