"""The statements of rules: lines with all that is said of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..verdicts import Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..positions import Position
    from ..verdicts import Remark


class Statement(NamedTuple):
    """What a line says, and what is said of it.

    Attributes:
        where: where it stands.
        text: what it says.
        verdict: the worst of its remarks.
        remarks: the remarks, the worst ones first.
    """

    where: Position
    text: str
    verdict: Verdict
    remarks: tuple[Remark, ...]


def statements(files: Iterable[str], remarks: Iterable[Remark]) -> tuple[Statement, ...]:
    """The statements in the order of the files."""
    order = {file: number for number, file in enumerate(files)}
    found: dict[Position, list[Remark]] = {}
    for remark in dict.fromkeys(remarks):
        found.setdefault(remark.where, []).append(remark)
    return tuple(
        [
            _statement(where, found[where])
            for where in sorted(found, key=lambda where: (order.get(where.file, len(order)), where))
        ]
    )


def _statement(where: Position, remarks: list[Remark]) -> Statement:
    text = next((remark.subject for remark in remarks if remark.subject), "")
    ordered = sorted(remarks, key=lambda remark: -remark.verdict.rank)
    return Statement(where, text, worst(remarks), tuple(ordered))


def count(found: Iterable[Statement]) -> dict[Verdict, int]:
    """How many statements there are of each verdict."""
    counts = dict.fromkeys(Verdict, 0)
    for each in found:
        counts[each.verdict] += 1
    return counts
