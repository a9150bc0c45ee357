"""The text of conditions: `method=place & application!=web => zone=east`.

All versions parse it alike, with one regular expression (condition/config/.../ConditionStateRouter.java; 2.7:
condition/ConditionRouter.java).
"""

from __future__ import annotations

import re

from ..model import Term
from ..scalars import has_long_number

_PIECE = re.compile(r"([&!=,]*+)\s*+([^&!=,\s]*+)", re.ASCII)
"""A separator and what follows it. Dubbo's expression ends in `+`; so does what is left if nothing follows,
but it takes quadratic time to find that out."""

_BLANK = "".join(map(chr, range(33)))  # what Java's trim() removes


class ConditionError(Exception):
    """A condition cannot be parsed; the message says why."""


def sides(text: str) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """What a condition demands of requests, and of instances. Without `=>` all of it is the right side.

    Raises:
        ConditionError: it cannot be parsed.
    """
    if not text.strip(_BLANK):
        raise ConditionError("it is empty")
    text = text.replace("consumer.", "").replace("provider.", "")
    left, arrow, right = text.partition("=>")
    if not arrow:
        left, right = "", left
    left, right = left.strip(_BLANK), right.strip(_BLANK)
    return (
        () if left in {"", "true"} else terms(left),
        () if right in {"", "false"} else terms(right),
    )


def terms(text: str) -> tuple[Term, ...]:
    """One side of a condition.

    Raises:
        ConditionError: it cannot be parsed.
    """
    if has_long_number(text):  # which deleting `consumer.` may have made
        raise ConditionError("it has a number of more than 1,000 digits")
    found: dict[str, tuple[list[str], list[str]]] = {}
    key = ""
    values: list[str] | None = None  # a comma adds to those before it, even to those of another key
    pieces: list[tuple[str, str]] = _PIECE.findall(text)
    for separator, content in pieces:
        if not content:
            continue
        if separator in {"", "&"}:
            key = content
            found.setdefault(key, ([], []))
        elif separator in {"=", "!="}:
            if not key:
                raise ConditionError(f"{separator}{content} has no key before it")
            values = found[key][separator == "!="]
            values.append(content)
        elif separator == ",":
            if not values:
                raise ConditionError(f"the comma before {content} separates no values")
            values.append(content)
        else:
            raise ConditionError(f"{separator}{content}: the separator must be one of =, !=, & and a comma")
    return tuple([Term(key, tuple(equal), tuple(unequal)) for key, (equal, unequal) in found.items()])
