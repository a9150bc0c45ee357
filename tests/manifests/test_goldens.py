"""The manifests in goldens, as far as they can be judged without Istio and an API server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifests.checks import problems

GOLDEN = Path(__file__).parents[2] / "golden"
MANIFESTS = sorted(GOLDEN.glob("*/expected/**/*.yaml"))


@pytest.mark.parametrize("file", MANIFESTS, ids=[str(file.relative_to(GOLDEN)) for file in MANIFESTS])
def test_nothing_is_wrong_with_a_golden(file: Path) -> None:
    assert problems(file) == []
