"""Istio's validation and analysis of manifests. Run by `make istio`."""

from __future__ import annotations

import pytest

from tests.istio import judges, wrong_manifests


@pytest.fixture(scope="module")
def verdicts() -> dict[str, list[str]]:
    """What validation says of each file in wrong/."""
    found: dict[str, list[str]] = {}
    for finding in judges.validate(wrong_manifests.DIRECTORY):
        file = finding.resource.partition(":")[0].rpartition("/")[2]
        found.setdefault(file, []).append(finding.message)
    return found


@pytest.mark.parametrize("wrong", wrong_manifests.for_check("istio"), ids=lambda wrong: wrong.file.stem)
def test_validation_finds_mistakes(wrong: wrong_manifests.Wrong, verdicts: dict[str, list[str]]) -> None:
    assert verdicts.get(wrong.file.name), wrong.mistake


@pytest.mark.parametrize("wrong", wrong_manifests.for_check("analysis"), ids=lambda wrong: wrong.file.stem)
def test_analysis_finds_mistakes(wrong: wrong_manifests.Wrong) -> None:
    assert judges.analyze(judges.WORLD, wrong.file), wrong.mistake


def test_nothing_is_said_against_the_world() -> None:
    assert judges.validate(judges.WORLD) == []
    assert judges.analyze(judges.WORLD) == []
