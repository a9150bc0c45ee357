"""What the doctor reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Check: TypeAlias = Literal[
    "environment", "dial", "reachable", "aliases", "admin", "headers", "health", "probes"
]
Status: TypeAlias = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: what was checked.
        status: `skipped` if there was nothing to check.
        finding: what was found.
        remedy: what to do about it; empty if there is nothing to do. Where the status is `ok`, it is for
            those whom the finding concerns.
    """

    check: Check
    status: Status
    finding: str
    remedy: str = ""
