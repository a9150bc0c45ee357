"""Findings as text, for people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..._command.console import printable
from ..._command.terminal import coloured, wrapped
from ..finding import Finding

_COLOURS = {"ok": "green", "info": "cyan", "warning": "yellow", "failed": "red", "skipped": "dim"}

_INDENT = 2
_STATUS, _CHECK = 9, 13  # the widths of the columns
_TEXT = _INDENT + _STATUS + _CHECK
"""Where the text of a finding begins."""

_NARROW = 76
"""On terminals with fewer columns than this the text has lines of its own."""

_RPC = re.compile(r"[A-Za-z_][\w.]*/[A-Za-z_]\w*")  # unlike unix:/run/server.sock

_AS_ABOVE = "as above"
_SHOWN = 4  # services, in the heading of what they share


def as_text(findings: Sequence[Finding], *, width: int | None = None, colours: bool = False) -> str:
    """Returns a block for the process, and one for each service, target and server; at the end a summary.

    What is not printable is escaped: findings quote environment variables and what peers sent.

    Args:
        findings: all that were found.
        width: the columns of the terminal; if None, each finding is one line, and each remedy.
        colours: whether to use colours.
    """
    page = _Page(width, colours)
    lines: list[str] = []
    for names, rows in _blocks(findings):
        lines.extend(page.heading(_heading(names) or "this process"))
        for row in rows:
            lines.extend(page.lines_of(row))
        lines.append("")
    lines.extend(wrapped(summary(findings), "", width))
    return "\n".join(lines)


def _heading(names: Sequence[str]) -> str:
    shown = names if len(names) <= _SHOWN + 1 else [*names[:_SHOWN], f"{len(names) - _SHOWN} more"]
    return ", ".join(shown)


def summary(findings: Sequence[Finding]) -> str:
    """How many findings there are of each kind, and where to read more about what is wrong."""
    found = Counter(map(_label, findings))
    errors, warnings = found["failed"], found["warning"]
    parts = [
        f"{errors} error{'s' * (errors > 1)}" * bool(errors),
        f"{warnings} warning{'s' * (warnings > 1)}" * bool(warnings),
        f"{found['ok']} ok",
        f"{found['info']} info" * bool(found["info"]),
        f"{found['skipped']} skipped" * bool(found["skipped"]),
    ]
    counts = ", ".join(filter(None, parts))
    wrong = sorted({each.id for each in findings if each.id and each.status in ("failed", "warning")})
    if not wrong:
        return f"nothing is wrong: {counts}"
    return f"{counts}. For more: dubbo-mesh explain {' '.join(wrong)}"


def _label(finding: Finding) -> str:
    """The status; or `info` where nothing is wrong, and somebody may want to know something."""
    return "info" if finding.status == "ok" and finding.id is not None else finding.status


@dataclass(slots=True)
class _Row:
    """A finding, or several that differ only in their services, or in the rpcs of one service.

    Attributes:
        finding: the first of them.
        text: without the name of the service and the rpc.
        names: of the services, targets and servers; an empty one is the process.
        rpcs: the names of the rpcs; empty if it is about none.
    """

    finding: Finding
    text: str
    names: dict[str, None] = field(default_factory=dict[str, None])
    rpcs: dict[str, None] = field(default_factory=dict[str, None])

    @property
    def said(self) -> str:
        return f"{', '.join(self.rpcs)}: {self.text}" if self.rpcs else self.text


def _blocks(findings: Sequence[Finding]) -> Iterator[tuple[tuple[str, ...], list[_Row]]]:
    """Findings by what they are about: the process, then what several services share, then each of them."""
    rows: dict[tuple[object, ...], _Row] = {}
    order = {"": 0}
    for each in findings:
        name, rpc = _split(each.subject)
        order.setdefault(name, len(order))
        text = each.finding.removeprefix(f"{each.subject}: ") if each.subject else each.finding
        text = text.removeprefix(f"{name}: ") if name else text
        shared_by = name if rpc or not name else None  # whose rows alone it may be merged with
        row = rows.setdefault(
            (shared_by, rpc != "", each.status, each.id, each.check, text, each.remedy), _Row(each, text)
        )
        row.names[name] = None
        if rpc:
            row.rpcs[rpc] = None
    blocks: dict[tuple[str, ...], list[_Row]] = {}
    for row in sorted(rows.values(), key=lambda row: row.rpcs != {}):
        blocks.setdefault(tuple(row.names), []).append(row)
    singly = {names: names != ("",) and len(names) == 1 for names in blocks}
    yield from sorted(blocks.items(), key=lambda block: (singly[block[0]], order[block[0][0]]))


def _split(subject: str) -> tuple[str, str]:
    """The service and the rpc that a finding is about; the latter may be empty."""
    if _RPC.fullmatch(subject) is None:
        return subject, ""
    name, _, rpc = subject.partition("/")
    return name, rpc


class _Page:
    def __init__(self, width: int | None, colours: bool) -> None:
        self._width, self._colours = width, colours
        self._narrow = width is not None and width < _NARROW
        self._remedies: set[tuple[str | None, str]] = set()

    def heading(self, names: str) -> list[str]:
        return [self._in("bold", line) for line in wrapped(printable(names), "", self._width)]

    def lines_of(self, row: _Row) -> Iterator[str]:
        finding = row.finding
        label = _label(finding)
        start = f"{' ' * _INDENT}{self._in(_COLOURS[label], label)}{' ' * (_STATUS - len(label))}"
        hanging = " " * (_INDENT + 2 if self._narrow else _TEXT)
        said = wrapped(f"{finding.id or ''} {printable(row.said)}".lstrip(), hanging, self._width)
        if self._narrow:
            yield f"{start}{finding.check}"
            yield from said
        else:
            yield f"{start}{finding.check:{_CHECK}}{said[0].lstrip()}"
            yield from said[1:]
        if finding.remedy:
            remedy = printable(finding.remedy)
            if (finding.id, remedy) in self._remedies:
                remedy = _AS_ABOVE
            self._remedies.add((finding.id, finding.remedy))
            yield from wrapped(remedy, f"{hanging}-> ", self._width)

    def _in(self, colour: str, text: str) -> str:
        return coloured(text, colour) if self._colours else text
