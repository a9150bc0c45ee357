"""Findings as text, for people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    for name, rows in _blocks(findings):
        lines.append(page.heading(name or "this process"))
        for row in rows:
            lines.extend(page.lines_of(row))
        lines.append("")
    lines.extend(wrapped(summary(findings), "", width))
    return "\n".join(lines)


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
    """A finding, or several that differ in their rpcs only."""

    finding: Finding
    text: str
    rpcs: list[str]

    @property
    def said(self) -> str:
        return f"{', '.join(self.rpcs)}: {self.text}" if self.rpcs else self.text


def _blocks(findings: Sequence[Finding]) -> Iterator[tuple[str, list[_Row]]]:
    """Findings by service, target or server, in the order in which these were met, after the process."""
    blocks: dict[str, dict[str, list[Finding]]] = {"": {}}
    for each in findings:
        is_rpc = _RPC.fullmatch(each.subject) is not None
        name, _, rpc = each.subject.partition("/") if is_rpc else (each.subject, "", "")
        blocks.setdefault(name, {}).setdefault(rpc, []).append(each)
    for name, by_rpc in blocks.items():
        rows: dict[tuple[object, ...], _Row] = {}
        for rpc, found in sorted(by_rpc.items(), key=lambda item: item[0] != ""):
            for each in found:
                text = each.finding.removeprefix(f"{each.subject}: ") if each.subject else each.finding
                text = text.removeprefix(f"{name}: ") if name else text
                row = rows.setdefault((each.status, each.id, each.check, text), _Row(each, text, []))
                if rpc and rpc not in row.rpcs:
                    row.rpcs.append(rpc)
        if rows:
            yield name, list(rows.values())


class _Page:
    def __init__(self, width: int | None, colours: bool) -> None:
        self._width, self._colours = width, colours
        self._narrow = width is not None and width < _NARROW
        self._remedies: set[tuple[str | None, str]] = set()

    def heading(self, name: str) -> str:
        return self._in("bold", printable(name))

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
