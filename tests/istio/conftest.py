"""Meshes for the tests of this directory. Each test has its own control plane and sidecars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from localmesh import ReservedPort
from tests.istio import emitting
from tests.istio.emitting import Emitted
from tests.istio.mesh import Mesh

Start = Callable[..., Mesh]
StandIn = Callable[..., list[Path]]
STAND_IN = Path(__file__).parent / "stand_in"


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    """The port of the greeter's Service, on which the consumer's sidecar listens."""
    with ReservedPort() as reserved:
        yield reserved.number


@pytest.fixture(scope="session")
def routes(port: int, tmp_path_factory: pytest.TempPathFactory) -> Emitted:
    """Emitted with `policy=routes`: routes have timeouts and retries."""
    return emitting.emit(tmp_path_factory.mktemp("routes"), port)


@pytest.fixture(scope="session")
def headers(port: int, tmp_path_factory: pytest.TempPathFactory) -> Emitted:
    """Emitted with `policy=headers`: stubs ask for timeouts and retries."""
    return emitting.emit(tmp_path_factory.mktemp("headers"), port)


@pytest.fixture
def stand_in(port: int, tmp_path: Path) -> StandIn:
    """The manifests of these names, for the port."""

    def write(*names: str) -> list[Path]:
        written: list[Path] = []
        for name in names:
            file = tmp_path / f"{name}.yaml"
            file.write_text((STAND_IN / file.name).read_text().replace("PORT", str(port)))
            written.append(file)
        return written

    return write


@pytest.fixture
def consumer(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the consumer, whose sidecar listens on the Service's port."""
    monkeypatch.setenv("DUBBO_MESH_EGRESS", f"127.0.0.1:{port}")
    monkeypatch.setenv("POD_NAMESPACE", "default")


@pytest.fixture
def mesh(consumer: None, port: int, tmp_path: Path) -> Iterator[Start]:
    """Starts meshes: `mesh(emitted, manifests)`. No Envoy may have refused anything in the end."""
    started: list[Mesh] = []

    def start(emitted: Emitted, manifests: Sequence[Path]) -> Mesh:
        started.append(Mesh(emitted, manifests, port, tmp_path).__enter__())
        return started[-1]

    yield start
    for each in started:
        each.__exit__(None, None, None)
        assert each.rejections() == []
