"""Findings as JSON, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..finding import Finding

VERSION = 1
"""The version of the format, which `docs/doctor.schema.json` describes. It is increased when a key is removed
or changes its meaning; keys, checks and ids may be added without that."""


def as_json(findings: Sequence[Finding]) -> str:
    """Returns a JSON list with an object for each finding."""
    return json.dumps([_object(each) for each in findings], indent=2)


def _object(finding: Finding) -> dict[str, object]:
    return {
        "version": VERSION,
        "check": finding.check,
        "status": finding.status,
        "id": finding.id,
        "severity": finding.severity,
        "subject": finding.subject,
        "finding": finding.finding,
        "remedy": finding.remedy,
        "docs": finding.docs,
    }
