"""Istio's validation and analysis of all that goldens have. Run by `make istio`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.istio import cluster, judges, surroundings

GOLDEN = Path(__file__).parents[2] / "golden"
EMITTERS = ("kubernetes", "istio", "gateway")


def _cases() -> list[Path]:
    """What the goldens with manifests expect."""
    expected = GOLDEN.glob("*/expected")
    return sorted(path for path in expected if any((path / name).is_dir() for name in EMITTERS))


def _directories(expected: Path) -> list[Path]:
    return [path for name in EMITTERS if (path := expected / name).is_dir()]


def test_is_valid() -> None:
    cases = _cases()
    assert cases
    assert judges.validate(*(path for case in cases for path in _directories(case))) == []


@pytest.mark.parametrize("expected", _cases(), ids=lambda expected: expected.parent.name)
def test_is_clean(expected: Path, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    cluster.write(file, surroundings.complete(list(cluster.read(*_directories(expected)))))
    assert judges.analyze(file) == []
