"""Istio's validation and analysis of all that goldens have. Run by `make istio`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.istio import cluster, goldens, judges, surroundings


def test_is_valid() -> None:
    cases = goldens.cases()
    assert cases
    assert judges.validate(*(path for case in cases for path in goldens.directories(case))) == []


@pytest.mark.parametrize("expected", goldens.cases(), ids=goldens.name)
def test_is_clean(expected: Path, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    cluster.write(file, surroundings.complete(list(cluster.read(*goldens.directories(expected)))))
    assert judges.analyze(file) == []
