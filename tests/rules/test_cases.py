"""Every case: our decision is the one that Dubbo made, and what we say and write is as expected."""

from __future__ import annotations

import pytest

from tests.rules.recorded import CASES, RECORDINGS, Recording, recorded_shares, rules, shares

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
