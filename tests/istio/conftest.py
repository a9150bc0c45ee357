"""Meshes for the tests of this directory. Each test has its own control plane and sidecars."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from localmesh import ReservedPort
from tests.istio import emitting
from tests.istio.emitting import Emitted
from tests.istio.mesh import Mesh

Start = Callable[..., Mesh]
StandIn = Callable[..., list[Path]]
Emit = Callable[..., Emitted]
STAND_IN = Path(__file__).parent / "stand_in"


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    """The port of the greeter's Service, on which the consumer's sidecar listens."""
    with ReservedPort() as reserved:
        yield reserved.number


@pytest.fixture(scope="session")
def emit(port: int, tmp_path_factory: pytest.TempPathFactory) -> Emit:
    """Runs the plugin with more parameters; an equal run is not repeated."""

    @functools.cache
    def run(*parameters: str, config: str = "") -> Emitted:
        return emitting.emit(tmp_path_factory.mktemp("emitted"), port, *parameters, config=config)

    return run


@pytest.fixture(scope="session")
def routes(emit: Emit) -> Emitted:
    """Routes have timeouts and retries."""
    return emit("emit=python+istio", "policy=routes")


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
    monkeypatch.setenv("DUBBO_MESH_FORWARDED_FOR", "pod")
    monkeypatch.setenv("POD_IP", "10.1.2.3")
    monkeypatch.setenv("POD_NAMESPACE", "default")


@pytest.fixture
def mesh(consumer: None, port: int, tmp_path: Path, stand_in: StandIn) -> Iterator[Start]:
    """Starts meshes: `mesh(emitted)`. No Envoy may have refused anything in the end."""
    started: list[Mesh] = []

    def start(emitted: Emitted, manifests: Sequence[Path] | None = None, *, service: str = "service") -> Mesh:
        applied = emitted.manifests if manifests is None else manifests
        started.append(Mesh(emitted, [*applied, *stand_in(service)], port, tmp_path).__enter__())
        return started[-1]

    yield start
    for each in started:
        each.__exit__(None, None, None)
        assert each.rejections() == []
