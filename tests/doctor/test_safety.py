"""Whatever happens in a check: a finding says so, and the other checks are made."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from dubbo_mesh._doctor import command
from dubbo_mesh._doctor.command import examine
from dubbo_mesh._doctor.examination import Examination
from dubbo_mesh._doctor.finding import Finding
from dubbo_mesh._doctor.safety import bounded, safely
from tests.doctor.running import examined, ids

OFF = {"DUBBO_MESH_ADMIN": "off"}


@pytest.mark.finds("DM001")
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("x"), "KeyError: 'x'"),
        (RecursionError(), "RecursionError"),
        (MemoryError(), "MemoryError"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_a_check_that_fails_is_reported_and_the_others_are_made(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, said: str
) -> None:
    def failing(*_: object, **__: object) -> Iterator[Finding]:
        yield Finding("environment", "ok", "so far")
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(command, "check_environment", failing)
        patched.setenv("DUBBO_MESH_ADMIN", "off")
        findings = list(examine(Examination()))
    assert [each.id for each in findings] == [None, "DM001", None, None, None, None]
    assert findings[1].finding.startswith(f"the check “environment” failed: {said} (test_safety.py:")
    assert [each.check for each in findings][2:] == ["dial", "admin", "headers", "health"]
    assert "DM001" not in ids(examined(variables=OFF))


def test_the_place_is_the_innermost_one_in_the_package() -> None:
    def failing() -> Iterator[Finding]:
        from dubbo_mesh._doctor.budget import Budget

        Budget("none")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        yield from ()

    (found,) = safely("dial", failing)
    assert "(_doctor/budget.py:" in found.finding


@pytest.mark.finds("DM002")
def test_a_check_without_time_is_reported() -> None:
    findings = examined("greeter", server="127.0.0.1:1", variables=OFF, timeout=1e-9)
    assert [each.finding for each in findings if each.id == "DM002"] == [
        "no time was left to finish the check “dial”",
        "no time was left to finish the check “health”",
        "no time was left to finish the check “probes”",
    ]
    assert "DM002" not in ids(examined("greeter", server="127.0.0.1:1", variables=OFF))


def test_interruptions_pass() -> None:
    def interrupted() -> Iterator[Finding]:
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        list(safely("dial", interrupted))


def test_texts_are_bounded() -> None:
    found = bounded(Finding("dial", "ok", "a" * 10**6 + "z", "r" * 5000, None, "s" * 5000))
    assert found.finding.startswith("aaa")
    assert found.finding.endswith("z (1000001 characters)")
    assert max(map(len, (found.finding, found.remedy, found.subject))) < 1600
    short = Finding("dial", "ok", "short")
    assert bounded(short) is short


def test_a_module_that_prints_does_not_spoil_the_json(tmp_path: Any) -> None:
    import subprocess

    (tmp_path / "loud_mesh.py").write_text("print('loud')")
    done = subprocess.run(
        [sys.executable, "-m", "dubbo_mesh", "doctor", "--json", "loud_mesh"],
        capture_output=True,
        text=True,
        env={**os.environ, **OFF, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    assert done.stderr == "loud\n"
    assert json.loads(done.stdout)
