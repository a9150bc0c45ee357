"""The harness of these tests notices what Envoys refuse. Run by `make istio`."""

from __future__ import annotations

from pathlib import Path

import pytest

from localmesh import wait_until
from tests.istio import cluster, wrong_manifests
from tests.istio.control_plane import ControlPlane
from tests.istio.emitting import Emitted
from tests.istio.sidecar import IstioSidecar
from tests.istio.wrong_manifests import Wrong


@pytest.mark.parametrize("wrong", wrong_manifests.for_check("envoy"), ids=lambda wrong: wrong.file.stem)
def test_what_envoy_refuses_is_noticed(wrong: Wrong, routes: Emitted, tmp_path: Path) -> None:
    manifests = [routes.kubernetes, wrong.file]
    cluster.write(
        tmp_path / "filled-in.yaml", cluster.filled_in(cluster.read(*manifests), [cluster.CONSUMER])
    )
    with (
        ControlPlane([*manifests, tmp_path / "filled-in.yaml"], tmp_path) as control_plane,
        IstioSidecar(cluster.CONSUMER, control_plane, tmp_path) as sidecar,
    ):
        wait_until(lambda: control_plane.rejections and sidecar.rejections, what="both sides say so")
