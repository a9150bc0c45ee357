"""Large configurations: nothing is held twice, and nothing is read again for each rpc."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from dubbo_mesh._doctor.envoy.configuration.snapshot import Snapshot
from dubbo_mesh._doctor.envoy.forwarding.clusters import cluster_of
from dubbo_mesh._doctor.sidecar.parsing import parsed
from tests.doctor import istioctl
from tests.doctor.upstreams import NOBODY, service

SERVICES = 500


@pytest.fixture(scope="module")
def clusters() -> list[Any]:
    return [service(f"svc-{number}", NOBODY, NOBODY).to_cluster() for number in range(SERVICES)]


def peak(step: Callable[[], object]) -> int:
    """The most bytes that objects of Python have taken in a step."""
    tracemalloc.start()
    try:
        kept = step()
        _, most = tracemalloc.get_traced_memory()
        del kept
        return most
    finally:
        tracemalloc.stop()


def read(text: bytearray) -> Snapshot:
    snapshot = Snapshot()
    snapshot.add(parsed(text))
    assert len(snapshot.clusters) == SERVICES
    return snapshot


def test_text_is_not_held_beside_what_is_made_of_it(clusters: list[Any]) -> None:
    section = {
        "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
        "static_clusters": [{"cluster": each} for each in clusters],
    }
    text = json.dumps({"configs": [section]}, indent=1)
    plain = peak(lambda: json.loads(text))
    content = bytearray(text.encode())
    # While it is parsed there is the text too, decoded; and an index of the clusters when that is gone.
    assert peak(lambda: read(content)) < plain + 1.3 * len(text)
    assert content == b""


def test_fields_are_renamed_in_place(clusters: list[Any]) -> None:
    kind = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    one = istioctl.camel_case({"@type": kind, **clusters[0]})
    text = json.dumps([{**one, "name": each["name"]} for each in clusters], indent=4)
    assert "connectTimeout" in text
    plain = peak(lambda: json.loads(text))
    assert peak(lambda: read(bytearray(text.encode()))) < plain + 2.2 * len(text)


def test_a_cluster_is_read_once(clusters: list[Any]) -> None:
    """For a service with many rpcs, too."""
    snapshot = Snapshot(kinds={"clusters"}, clusters={each["name"]: each for each in clusters})
    found = cluster_of(snapshot, "svc-7")
    assert found is not None
    assert cluster_of(snapshot, "svc-7") is found
    assert cluster_of(snapshot, "svc-7", "HIGH") is not found
