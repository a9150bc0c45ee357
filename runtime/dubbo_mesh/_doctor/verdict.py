"""What counts: which findings make the doctor fail, and which are ignored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from .catalogue.problem import Check
from .finding import Finding, Status

_COUNTS: dict[str, set[Status]] = {"error": {"failed"}, "warning": {"failed", "warning"}}

_LASTING: set[Check] = {"environment", "dial"}
"""Checks whose results stay as they are while a process runs: its environment, and what it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """By what findings are judged.

    Attributes:
        fail_on: the severity from which on a finding counts.
        ignored: ids of findings that do not count.
    """

    fail_on: Literal["error", "warning"] = "error"
    ignored: frozenset[str] = frozenset()

    def without_ignored(self, finding: Finding) -> Finding:
        """The finding, or, if it is ignored, one that is skipped and says so."""
        if finding.id not in self.ignored:
            return finding
        return replace(finding, status="skipped", finding=f"ignored: {finding.finding}")

    def wrong(self, findings: Iterable[Finding]) -> list[Finding]:
        """Those that count."""
        return [each for each in findings if each.status in _COUNTS[self.fail_on]]


def may_change(wrong: Iterable[Finding]) -> bool:
    """Whether waiting may help: whether all that is wrong can become right while this process runs."""
    return all(each.check not in _LASTING for each in wrong)
