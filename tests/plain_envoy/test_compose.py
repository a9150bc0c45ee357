"""Envoys on the files that are emitted for Docker Compose. `containers.py` plays that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.own_network import seen_in
from tests.plain_envoy.containers import CAFE, CAFES_ENVOY, CONSUMERS_ENVOY, ELSEWHERE

CONTAINERS = "tests.plain_envoy.containers"


def test_an_envoy_is_in_the_network_of_its_app(tmp_path: Path) -> None:
    found = seen_in(CONTAINERS, "shared", tmp_path)
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
    return seen_in(CONTAINERS, "own", tmp_path_factory.mktemp("own"))
