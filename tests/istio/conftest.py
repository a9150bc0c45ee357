"""Meshes for the tests of this directory. Each test has its own control plane and sidecars."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from localmesh import ReservedPort
from tests.istio import emitting
from tests.istio.emitting import Emitted
from tests.istio.mesh import Mesh

Start = Callable[..., Mesh]
Emit = Callable[..., Emitted]


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
    return emit("emit=python+kubernetes+istio", "policy=routes")


@pytest.fixture
def consumer(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the consumer, whose sidecar listens on the Service's port."""
    monkeypatch.setenv("DUBBO_MESH_EGRESS", f"127.0.0.1:{port}")
    monkeypatch.setenv("DUBBO_MESH_FORWARDED_FOR", "pod")
    monkeypatch.setenv("POD_IP", "10.1.2.3")
    monkeypatch.setenv("POD_NAMESPACE", "default")


@pytest.fixture
def mesh(consumer: None, port: int, tmp_path: Path) -> Iterator[Start]:
    """Starts meshes: `mesh(emitted)`. In the end, something was refused only if the test says so."""
    started: list[tuple[Mesh, bool]] = []

    def start(
        emitted: Emitted,
        manifests: Sequence[Path] | None = None,
        *,
        refused: bool = False,
        **arguments: Any,
    ) -> Mesh:
        applied = emitted.manifests if manifests is None else manifests
        mesh = Mesh(emitted, applied, port, tmp_path, **arguments).__enter__()
        started.append((mesh, refused))
        return mesh

    yield start
    for each, refused in started:
        each.__exit__(None, None, None)
        assert bool(each.rejections()) == refused, each.rejections()
