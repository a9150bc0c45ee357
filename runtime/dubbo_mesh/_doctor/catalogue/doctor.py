"""DM0xx: the doctor itself."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem

DOCTOR: Mapping[str, Problem] = {
    "DM001": Problem(
        "doctor",
        "error",
        "a check failed: the doctor has a defect",
        "What the check would have found is not known. All other checks were made.",
        "report it, with this line; --ignore DM001 disregards it",
    ),
    "DM002": Problem(
        "doctor",
        "error",
        "no time was left for a check",
        "What the check would have found is not known.",
        "give all checks more time, with --timeout; or see which of the others took so long, and why",
    ),
}
