"""The manifests in wrong/, each with the checks that must find its mistake."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

DIRECTORY = Path(__file__).parent / "wrong"
_CAUGHT_BY = "# Caught by: "


class Wrong(NamedTuple):
    """A manifest with one mistake."""

    file: Path
    mistake: str
    caught_by: frozenset[str]


def load() -> list[Wrong]:
    """All of them, by name."""
    return [_load(file) for file in sorted(DIRECTORY.glob("*.yaml"))]


def for_check(word: str) -> list[Wrong]:
    """Those that a check must find; wrong/README.md has the words."""
    return [wrong for wrong in load() if word in wrong.caught_by]


def _load(file: Path) -> Wrong:
    mistake, caught_by = file.read_text().splitlines()[:2]
    assert caught_by.startswith(_CAUGHT_BY), f"{file}:2 must say which checks find the mistake"
    return Wrong(file, mistake.removeprefix("# "), frozenset(caught_by.removeprefix(_CAUGHT_BY).split(", ")))
