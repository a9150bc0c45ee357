"""Every case: our decision is the one that Dubbo made, and what we say and write is as expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.recorded import (
    CASES,
    NAMES,
    RECORDINGS,
    Recording,
    has_world,
    recorded_shares,
    rules,
    shares,
)

_TOLERANCE = 0.05  # of shares that were counted over 1,000 calls: more than four standard deviations


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_we_decide_as_dubbo_did(recording: Recording) -> None:
    said = rules(
        *("explain", "rule.yaml", "--world", "world.yaml", "--dubbo", recording.dialect, "--json"),
        directory=CASES / recording.case,
    )
    recorded = recording.requests
    assert [line["request"] for line in said.lines] == [found["request"] for found in recorded]
    for line, found in zip(said.lines, recorded, strict=True):
        if "panic" in found:
            assert line["dubbo"] == [], line
        elif "remaining" in found:
            assert line["dubbo"] == found["remaining"], line
        else:
            wanted = recorded_shares(found)
            assert shares(line["dubbo"]) == pytest.approx(wanted, abs=_TOLERANCE), line


@pytest.mark.parametrize("case", NAMES)
def test_differences_are_explained(case: str) -> None:
    """Both sides agree, or the verdict says that they do not, and why."""
    if not has_world(case):
        return
    for line in rules(
        "explain", "rule.yaml", "--world", "world.yaml", "--json", directory=CASES / case
    ).lines:
        assert line.keys() == {"request", "dubbo", "istio", "verdict", "why"}
        same = line["istio"] is not None and shares(line["dubbo"]) == pytest.approx(shares(line["istio"]))
        assert same == (line["verdict"] in {"same", "inactive"}), line
        assert (line["istio"] is None) == (line["verdict"] == "cannot"), line
        assert line["why"], line
        assert "although no line" not in line["why"], line
        assert "differs, decided by" not in line["why"], line


@pytest.mark.parametrize("case", NAMES)
def test_what_we_say_and_write_is_as_reviewed(
    case: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    directory = CASES / case
    world = (
        ("--world", "world.yaml") if has_world(case) else ("--app", "com.example.shop.OrderService=orders")
    )
    made: dict[str, str] = {}
    converted = rules(
        "convert", "rule.yaml", *world, "--keep-going", "-o", str(tmp_path / "made"), directory=directory
    )
    made["convert.txt"] = _transcript(converted.status, converted.out, converted.err).replace(
        f"{tmp_path / 'made'}/", ""
    )
    if has_world(case):
        explained = rules("explain", "rule.yaml", *world, directory=directory)
        made["explain.txt"] = _transcript(explained.status, explained.out, explained.err)
    if (tmp_path / "made").exists():
        made |= {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "made").iterdir()}
    expected = directory / "expected"
    if request.config.getoption("--update-goldens"):
        expected.mkdir(exist_ok=True)
        for old in expected.iterdir():
            old.unlink()
        for name, text in made.items():
            (expected / name).write_text(text, encoding="utf-8")
    assert made == {path.name: path.read_text(encoding="utf-8") for path in expected.iterdir()}, (
        "if this is right: pytest tests/rules/test_cases.py --update-goldens"
    )


def _transcript(status: int, out: str, err: str) -> str:
    return f"{out}--- standard error\n{err}--- exit status {status}\n"
