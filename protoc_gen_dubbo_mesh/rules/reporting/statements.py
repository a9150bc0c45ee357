"""The statements of rules: lines with all that is said of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..verdicts import Remark, Verdict, worst
from .lines import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model import Rule
    from ..positions import Position
    from .lines import Line


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


def statements(
    rules: Iterable[Rule], dropped: Iterable[Rule], remarks: Iterable[Remark]
) -> tuple[Statement, ...]:
    """The statements in the order of the files.

    Args:
        rules: the rules.
        dropped: those that have no effect.
        remarks: what is said of their lines.
    """
    listed = list(rules)
    order: dict[str, int] = {}
    found: dict[Position, list[Remark]] = {}
    for remark in dict.fromkeys(remarks):
        found.setdefault(remark.where, []).append(remark)
    lines: dict[tuple[str, int], list[Remark]] = {}
    for where, remarks_there in found.items():
        lines.setdefault((where.file, where.line), []).extend(remarks_there)
    without_effect = {id(rule) for rule in dropped}
    for rule in listed:
        order.setdefault(rule.header.where.file, len(order))
        for line in lines_of(rule):
            said = lines.get((line.where.file, line.where.line))
            dropped_too = id(rule) in without_effect
            if not said or (dropped_too and worst(said) is Verdict.EXACT):
                found[line.where] = [_default(line, rule.header.where, dropped=dropped_too)]
    return tuple(
        [
            _statement(where, found[where])
            for where in sorted(found, key=lambda where: (order.get(where.file, len(order)), where))
        ]
    )


def _default(line: Line, rule: Position, *, dropped: bool) -> Remark:
    """What is said of a line of which nothing else is said."""
    if dropped:
        return Remark(Verdict.INACTIVE, line.where, line.text, f"the rule at {rule} has no effect as a whole")
    if line.is_header:
        return Remark(Verdict.EXACT, line.where, line.text)
    return Remark(
        Verdict.CANNOT,
        line.where,
        line.text,
        "it is not known what this line becomes",
        "please report this, with the rule",
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
