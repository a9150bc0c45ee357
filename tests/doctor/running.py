"""Runs the doctor: in a process of its own, or in this one, which is faster.

Whatever it is given to read: no check may fail by itself (DM001), and what it prints is as documented.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jsonschema

from dubbo_mesh.__main__ import main
from dubbo_mesh._doctor.command import examine
from dubbo_mesh._doctor.examination import Examination
from dubbo_mesh._doctor.finding import Finding

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "doctor.schema.json").read_text(encoding="utf-8"))
"""The format of `--json`."""


def examined(*targets: str, variables: dict[str, str] | None = None, **options: Any) -> list[Finding]:
    """What the doctor finds, in this process.

    Args:
        targets: What it is given on the command line.
        variables: The `DUBBO_MESH_` variables, and others; none is taken from this process's environment.
        options: Of `Examination`.
    """
    with patch.dict(os.environ, environment(variables), clear=True):
        findings = list(examine(Examination(targets=targets, **options)))
    assert [each for each in findings if each.id == "DM001"] == []
    return findings


COMMAND = [sys.executable, "-m", "dubbo_mesh"]


def run(*arguments: str, variables: dict[str, str] | None = None) -> tuple[int, list[dict[str, Any]]]:
    """The exit status of `dubbo-mesh doctor --json`, and its findings."""
    done = subprocess.run(
        [*COMMAND, "doctor", "--json", *arguments],
        capture_output=True,
        text=True,
        env=environment(variables),
    )
    assert done.stderr == ""
    return done.returncode, _read(done.stdout)


def run_here(*arguments: str, variables: dict[str, str] | None = None) -> tuple[int, list[dict[str, Any]]]:
    """As `run`, in this process."""
    with (
        patch.dict(os.environ, environment(variables), clear=True),
        contextlib.redirect_stdout(io.StringIO()) as out,
    ):
        status = main(["doctor", "--json", *arguments])
    return status, _read(out.getvalue())


def _read(printed: str) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = json.loads(printed)
    jsonschema.validate(findings, SCHEMA)
    assert [each for each in findings if each["id"] == "DM001"] == []
    return findings


def environment(variables: dict[str, str] | None = None) -> dict[str, str]:
    """This process's environment without the variables that the doctor looks at, and with `variables`."""
    others = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DUBBO_MESH_") and name not in ("POD_NAMESPACE", "CLUSTER_DOMAIN", "POD_IP")
    }
    return others | (variables or {})


def ids(findings: Iterable[Finding]) -> set[str]:
    """The ids of the problems that were found."""
    return {finding.id for finding in findings if finding.id is not None}


def with_modules(directory: Path) -> dict[str, str]:
    """The variable with which a process imports modules from a directory."""
    return {"PYTHONPATH": os.pathsep.join([str(directory), *filter(None, [os.environ.get("PYTHONPATH")])])}
