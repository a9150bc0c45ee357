"""What `dubbo-mesh doctor` does with findings: waits, judges and prints."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence

from .._command.console import printable
from .._command.terminal import Line, has_colours, is_terminal, width_of
from .command import examine
from .examination import Examination
from .finding import Finding
from .report.objects import as_json
from .report.text import as_text
from .verdict import Verdict, may_change

_PAUSE = 0.5
"""Seconds between two rounds, at least; after long rounds, as many as the last one took."""


def run(examination: Examination, verdict: Verdict, *, wait: float | None, json: bool) -> int:
    """Examines, and prints what was found.

    Args:
        examination: what to look at.
        verdict: by what findings are judged.
        wait: seconds for which to examine again and again while something is wrong; None for once.
        json: whether to print JSON.

    Returns:
        The exit status: 1 if something is wrong.
    """
    with Line(sys.stderr) as line:
        findings = _findings(examination, verdict, wait, line)
    if json:
        sys.stdout.write(f"{as_json(findings)}\n")
    else:
        page = as_text(findings, width=width_of(sys.stdout), colours=has_colours(sys.stdout))
        sys.stdout.write(f"{page}\n")
    return 1 if verdict.wrong(findings) else 0


def _findings(examination: Examination, verdict: Verdict, wait: float | None, line: Line) -> list[Finding]:
    """The findings of the last round."""
    end = time.monotonic() + (wait or 0)
    announce = _announcer(line)
    while True:
        start = time.monotonic()
        findings = _round(examination, verdict, line)
        wrong = verdict.wrong(findings)
        now = time.monotonic()
        if not wrong or not may_change(wrong) or now >= end:
            return findings
        announce(wrong, end - now)
        time.sleep(min(max(_PAUSE, now - start), end - now))


def _round(examination: Examination, verdict: Verdict, line: Line) -> list[Finding]:
    findings: list[Finding] = []
    with contextlib.redirect_stdout(sys.stderr):  # modules of the application are imported, and may print
        for each in examine(examination):
            findings.append(verdict.without_ignored(each))
            line.show(f"checked: {each.check} {printable(each.subject)}".rstrip())
    return findings


def _announcer(line: Line) -> Callable[[Sequence[Finding], float], None]:
    """What says, between rounds, what is waited for: on one line of a terminal, or a line for each change."""
    last = ""

    def announce(wrong: Sequence[Finding], left: float) -> None:
        nonlocal last
        first = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        text = f"waiting: {first.id} {printable(first.finding)}{more}"
        if is_terminal(sys.stderr):
            line.show(f"{left:.0f} s left, {text}")
        elif text != last:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        last = text

    return announce
