"""Comparisons of requests, as a table for people or as lines of JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..comparing import Agreement, by_instance
from .wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..comparing import Comparison, Shares

_INDENT = "      "
_DIGITS = 6


def as_json(found: Comparison) -> str:
    """A comparison as a line of JSON, in ASCII, with the line end."""
    document = {
        "request": found.request,
        "dubbo": _value(found.dubbo),
        "istio": None if found.istio is None else _value(found.istio),
        "verdict": str(found.verdict),
        "why": found.why,
    }
    return json.dumps(document, allow_nan=False) + "\n"


def _value(shares: Shares) -> list[str] | dict[str, float]:
    if len(shares) == 1:
        return [*next(iter(shares))]
    return {name: round(share, _DIGITS) for name, share in by_instance(shares).items()}


def table(found: Sequence[Comparison], instances: int) -> Iterator[str]:
    """A table of comparisons, without line ends. `!` marks requests that Istio treats otherwise.

    Args:
        found: the comparisons.
        instances: how many instances there are.
    """
    rows = [("", "request", "Dubbo", "Istio", "verdict")]
    for each in found:
        mark = "!" if each.verdict in {Agreement.APPROXIMATE, Agreement.CANNOT} else ""
        istio = "?" if each.istio is None else _text(each.istio, instances)
        rows.append((mark, each.request, _text(each.dubbo, instances), istio, str(each.verdict)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    widths[0] = 1
    for number, row in enumerate(rows):
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        if number and found[number - 1].why:
            yield from wrapped(found[number - 1].why, _INDENT)


def _text(shares: Shares, instances: int) -> str:
    if len(shares) == 1:
        names = next(iter(shares))
        if not names:
            return "none"
        return "all" if len(names) == instances > 1 else ", ".join(names)
    parts = [f"{share:.4g}: {', '.join(names) or 'none'}" for names, share in shares.items()]
    return "; ".join(parts)
