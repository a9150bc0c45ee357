"""What tests of several modes need."""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dubbo_mesh import Target
from tests import sidecars
from tests.addressing.control_plane import ControlPlane
from tests.addressing.providers import Provider, serving

# grpc keeps one xDS client for each name: one that it is about to drop must not serve the next test.
_apps = (f"echo-{number}" for number in itertools.count())


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's environment says about meshes and proxies is not these tests' business."""
    for name in list(os.environ):
        if name.startswith(("DUBBO_MESH_", "GRPC_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("POD_NAMESPACE", "POD_IP", "CLUSTER_DOMAIN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def target() -> Target:
    """A name that no other test has."""
    return Target(next(_apps), "default", 50051)


@pytest.fixture
def control_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        file = control_plane.bootstrap(tmp_path / "bootstrap.json")
        monkeypatch.setenv("GRPC_XDS_BOOTSTRAP", str(file))
        yield control_plane


@dataclass
class Mesh:
    """A provider called `echo`, and a consumer's sidecar in front of it."""

    provider: Provider
    sidecar: sidecars.Sidecar

    def connections(self) -> int:
        """How many the sidecar has got so far."""
        return self.sidecar.admin.stat("http.egress.downstream_cx_total")

    def open_connections(self) -> int:
        return self.sidecar.admin.stat("http.egress.downstream_cx_active")


@contextmanager
def run_mesh(directory: Path) -> Generator[Mesh]:
    with serving(Provider("provider")) as provider:
        service = sidecars.MeshService("echo", 50051, [provider.address], health_check=None)
        with sidecars.Sidecar("sidecar", egress=[service], directory=directory / "sidecar") as sidecar:
            yield Mesh(provider, sidecar)


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with run_mesh(tmp_path) as mesh:
        yield mesh


@pytest.fixture
def egress(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> Mesh:
    """The mesh, and the environment set to it."""
    monkeypatch.setenv("DUBBO_MESH_EGRESS", mesh.sidecar.egress)
    monkeypatch.setenv("POD_NAMESPACE", "default")
    return mesh
