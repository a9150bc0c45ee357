"""Pods are replaced under load, behind sidecars of Istio's control plane. Run by `make istio`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localmesh import ReservedPort, wait_until
from tests.istio.conftest import Emit
from tests.istio.emitting import Emitted
from tests.istio.load import Load
from tests.istio.mesh import PODS
from tests.istio.rolling import RollingMesh

SETTINGS: dict[str, Any] = {"drain": 5, "quiet": 1, "grace": 5}
CONFIG = '[istio]\nhealth_checks = { interval = "250ms" }\n'
FIRST, SECOND = PODS


pytestmark = pytest.mark.usefixtures("consumer")


@pytest.fixture
def app_port() -> Iterator[int]:
    with ReservedPort() as reserved:
        yield reserved.number


def test_no_call_is_lost(emit: Emit, port: int, app_port: int, tmp_path: Path) -> None:
    emitted = emit("emit=python+kubernetes+istio", "policy=routes", config=CONFIG)
    with RollingMesh(emitted, emitted.manifests, port, app_port, tmp_path, SETTINGS) as mesh:
        mesh.wait_healthy(len(PODS))
        with Load(mesh.stub()) as load:
            for pod, other in ((FIRST, SECOND), (SECOND, FIRST)):
                load.wait_answered_by(mesh.address(pod))
                mesh.apps[pod.name].stop(grace=30)
                load.wait_answered_by(mesh.address(other))
                mesh.apps[pod.name].start()
                mesh.wait_healthy(len(PODS))
            load.wait_answered_by(mesh.address(SECOND))
        assert not load.lost
        for pod in PODS:
            # Neither waited until its drain time was over, nor cut calls off.
            assert "no call for 1 s" in mesh.apps[pod.name].log.read_text()
        assert mesh.rejections() == []


def test_calls_are_lost_without_health_checks(
    routes: Emitted, port: int, app_port: int, tmp_path: Path
) -> None:
    with RollingMesh(routes, routes.manifests, port, app_port, tmp_path, SETTINGS) as mesh:
        with Load(mesh.stub()) as load:
            for pod in PODS:
                load.wait_answered_by(mesh.address(pod))
            mesh.apps[FIRST.name].stop(grace=30)
            wait_until(lambda: load.lost, what="a call is lost")
        assert mesh.rejections() == []
