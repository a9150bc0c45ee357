"""Envoys on the files that are emitted for Docker Compose. `containers.py` plays that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.plain_envoy.containers import CAFE, CAFES_ENVOY, CONSUMERS_ENVOY, ELSEWHERE

REPOSITORY = Path(__file__).parents[2]


def seen(network: str, directory: Path) -> dict[str, Any]:
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    run = subprocess.run(
        [
            *("unshare", *as_root, "--mount", "--net"),
            *(sys.executable, "-m", "tests.plain_envoy.containers", network, str(directory)),
        ],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, "the containers' error is above"
    seen: dict[str, Any] = json.loads(run.stdout)
    return seen


def test_an_envoy_is_in_the_network_of_its_app(tmp_path: Path) -> None:
    found = seen("shared", tmp_path)
    assert found["environment"]["DUBBO_MESH_EGRESS"] == "127.0.0.1:15001"
    assert found["hosts"] == [f"{CAFE}:15007"]
    assert found["calls"] == {"127.0.0.1:15001": "done"}


@pytest.mark.parametrize(
    ("source", "answer"), [(CONSUMERS_ENVOY, "done"), (ELSEWHERE, "busy")], ids=["container", "elsewhere"]
)
def test_an_envoy_has_a_network_and_honours_headers_from_containers(
    own: dict[str, Any], source: str, answer: str
) -> None:
    assert own["environment"]["DUBBO_MESH_EGRESS"] == "consumer-envoy:15001"
    assert own["hosts"] == [f"{CAFES_ENVOY}:15007"]
    assert own["calls"][f"{source}:15001"] == answer


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return seen("own", tmp_path_factory.mktemp("own"))
