"""What tells of a mistake: the harness of these tests itself, and the doctor. Run by `make istio`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localmesh import wait_until
from tests.istio import cluster, wrong_manifests
from tests.istio.conftest import Emit, Start
from tests.istio.control_plane import ControlPlane
from tests.istio.emitting import Emitted
from tests.istio.mesh import Mesh
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


class TestDoctor:
    """It reads the configuration that the sidecar got from Istio."""

    def test_finds_nothing(self, mesh: Start, emit: Emit) -> None:
        emitted = emit("emit=python+kubernetes+istio")
        assert _failed(mesh(emitted), emitted) == set()

    def test_finds_headers_that_are_removed(self, mesh: Start, emit: Emit) -> None:
        emitted = emit("emit=python+kubernetes+istio", config="[istio]\ninternal_addresses = []\n")
        assert _failed(mesh(emitted), emitted) == {"headers"}

    def test_misses_no_headers_that_stubs_do_not_send(self, mesh: Start, emit: Emit) -> None:
        emitted = emit("emit=python+kubernetes+istio", "policy=routes")
        assert _failed(mesh(emitted), emitted) == set()


def _failed(mesh: Mesh, emitted: Emitted) -> set[str]:
    """The checks of the consumer's doctor that have failed."""
    environment = {"DUBBO_MESH_ADMIN": mesh.consumer.admin_address, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "dubbo_mesh", "doctor", "--json", "greeter_mesh"],
        env=os.environ | environment,
        cwd=emitted.directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    findings = json.loads(done.stdout)
    assert "headers" in {finding["check"] for finding in findings}, done.stderr
    return {finding["check"] for finding in findings if finding["status"] not in ("ok", "skipped")}
