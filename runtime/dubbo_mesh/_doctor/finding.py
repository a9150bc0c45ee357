"""What the doctor reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .catalogue import CATALOGUE
from .catalogue.problem import DOCS, Check, Severity

Status: TypeAlias = Literal["ok", "warning", "failed", "skipped"]

_STATUSES: dict[Severity, Status] = {"error": "failed", "warning": "warning", "info": "ok"}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: what was checked.
        status: `skipped` if there was nothing to check.
        finding: what was found.
        remedy: what to do about it; empty if there is nothing to do. Where the status is `ok`, it is for
            those whom the finding concerns.
        id: of the problem in the catalogue, such as `DM301`; None if nothing is wrong.
        subject: what it is about: `package.Service/rpc`, a service, a target or a server's address. Empty
            if it is about the process as a whole.
    """

    check: Check
    status: Status
    finding: str
    remedy: str = ""
    id: str | None = None
    subject: str = ""

    @property
    def severity(self) -> Severity | None:
        """How much it matters; None if nothing is wrong."""
        return None if self.id is None else CATALOGUE[self.id].severity

    @property
    def docs(self) -> str | None:
        """Where the documentation explains it; None if nothing is wrong."""
        return None if self.id is None else f"{DOCS}#{self.id.lower()}"


def problem(id: str, seen: str, *, remedy: str | None = None, subject: str = "") -> Finding:
    """A problem that was found.

    Args:
        id: of the problem in the catalogue.
        seen: what was found, with the names and values that it was found in.
        remedy: what to do about it, where that can be said more precisely than in the catalogue.
        subject: what it is about.
    """
    entry = CATALOGUE[id]
    return Finding(
        entry.check,
        _STATUSES[entry.severity],
        seen,
        entry.remedy if remedy is None else remedy,
        id,
        subject,
    )
