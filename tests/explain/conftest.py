"""The command `explain` in a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explain.explaining import FILES, Explaining


@pytest.fixture
def explain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Explaining:
    """In a project that sets something in every source."""
    monkeypatch.chdir(tmp_path)
    explaining = Explaining(tmp_path, capsys)
    explaining.write(FILES)
    return explaining
