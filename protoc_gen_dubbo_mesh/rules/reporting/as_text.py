"""Statements as text for people: a line for each, and below it why and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..verdicts import Verdict
from .statements import count
from .wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..resources import HostFile
    from ..verdicts import Remark
    from .statements import Statement

_INDENT = "    "
_LONGEST_VERDICT = max(map(len, Verdict))


def statements(found: Sequence[Statement]) -> Iterator[str]:
    """The lines of statements, without line ends."""
    widest = max((len(str(each.where)) for each in found), default=0)
    for each in found:
        yield f"{each.where!s:<{widest}}  {each.verdict:<{_LONGEST_VERDICT}}  {each.text}".rstrip()
        for remark in each.remarks:
            yield from _remark(remark)


def _remark(remark: Remark) -> Iterator[str]:
    if remark.why:
        yield from wrapped(remark.why, _INDENT)
    if remark.advice:
        yield from wrapped(f"-> {remark.advice}", _INDENT, "   ")


def summary(found: Iterable[Statement]) -> str:
    """How many lines there are of each verdict, in a line."""
    counts = count(found)
    total = sum(counts.values())
    parts = [f"{number} {verdict}" for verdict, number in counts.items() if number]
    return f"{total} {'line' if total == 1 else 'lines'}: {', '.join(parts)}" if parts else "no rules"


def labels(files: Iterable[HostFile]) -> Iterator[str]:
    """The labels of pods that files rely on, without line ends."""
    for file in files:
        for key, values in file.pod_labels:
            named = ", ".join(values) if values else "any value"
            yield f"{_INDENT}pods of {file.name}: {key}: {named}"


def report(found: Sequence[Statement], files: Sequence[HostFile]) -> Iterator[str]:
    """The lines, a summary, and the labels of pods that the resources rely on; without line ends."""
    yield from statements(found)
    if found:
        yield ""
    yield summary(found)
    relied = [*labels(files)]
    if relied:
        yield ""
        yield "Pods need these labels, with the values that Dubbo's instances had as parameters:"
        yield from relied
