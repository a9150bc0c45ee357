"""Findings as text for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from .._command.console import printable
from .finding import Finding


def render_text(findings: Sequence[Finding]) -> str:
    """Returns a line for each finding, and one for its remedy if it has one.

    What is not printable is escaped: findings quote environment variables and what peers sent.
    """
    lines: list[str] = []
    for finding in findings:
        id = f"{finding.id} " if finding.id is not None else ""
        lines.append(f"{finding.status:8}{finding.check:13}{id}{printable(finding.finding)}")
        if finding.remedy:
            lines.append(f"{'':21}-> {printable(finding.remedy)}")
    return "\n".join(lines)


def render_json(findings: Sequence[Finding]) -> str:
    """Returns a JSON list with an object for each finding, which has the attributes of `Finding`."""
    objects = [asdict(each) | {"severity": each.severity, "docs": each.docs} for each in findings]
    return json.dumps(objects, indent=2)
