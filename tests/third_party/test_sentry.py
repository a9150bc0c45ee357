"""Sentry's integration for gRPC is told of our servers' exceptions what it is told of those of grpc's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.third_party.servers import KINDS, SECRET, SERVERS, SHAPES

ROOT = Path(__file__).parents[2]


def observed(server: str, kind: str) -> dict[str, Any]:
    """What a process with Sentry tells of its server."""
    command = [sys.executable, "-m", "tests.third_party.observed_by_sentry", server, kind]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=100)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("kind", KINDS)
def test_errors_and_transactions(kind: str) -> None:
    told = {server: observed(server, kind) for server in SERVERS}
    plain, added, ours = (told[server] for server in SERVERS)
    assert plain["errors"] == [["LookupError", SECRET]] * len(SHAPES)
    assert plain["transactions"] == ["/test.Echo/unary"] * 3  # it observes no others
    assert added == plain
    assert ours["errors"] == plain["errors"]
    assert ours["transactions"] == plain["transactions"]
    for name, ended in ours["ended"].items():
        if name.endswith("broken"):
            assert SECRET not in ended[-1]
        else:
            assert ended == plain["ended"][name]
