"""The café, behind the Envoys that are emitted for it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import grpc
import pytest

from tests.plain_envoy.cafe import Cafe
from tests.plain_envoy.emitted import Emitted


@contextmanager
def open_cafe(emitted: Emitted) -> Generator[Cafe]:
    """Both instances of the café, without their Envoys."""
    cafe, servers = Cafe(), list[grpc.Server]()
    with ThreadPoolExecutor(64) as pool:
        for name in ("cafe-1", "cafe-2"):
            addresses = emitted.variables(name)["DUBBO_MESH_LISTEN"].split(",")
            servers += [cafe.serve(address, pool) for address in addresses]
        yield cafe
        for server in servers:
            server.stop(grace=None)
        for server in servers:
            server.wait_for_termination()


@contextmanager
def running(emitted: Emitted) -> Generator[Cafe]:
    """Both instances of the café and the Envoys beside them."""
    with ExitStack() as stack:
        cafe = stack.enter_context(open_cafe(emitted))
        for name in ("cafe-1", "cafe-2"):
            stack.enter_context(emitted.envoy(name))
        yield cafe


@pytest.fixture(scope="module")
def parameters() -> tuple[str, ...]:
    """The plugin's parameters, which a module may replace."""
    return ()


@pytest.fixture(scope="module")
def emitted(parameters: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emitted]:
    """What is emitted for the tests of a module."""
    files = Emitted(tmp_path_factory.mktemp("emitted"), *parameters)
    yield files
    files.close()


@pytest.fixture(scope="module")
def shared_cafe(emitted: Emitted) -> Iterator[Cafe]:
    """The café of a module's tests."""
    with running(emitted) as cafe:
        yield cafe


@pytest.fixture
def cafe(shared_cafe: Cafe) -> Iterator[Cafe]:
    """The café, as if nobody had called it yet."""
    shared_cafe.reset()
    yield shared_cafe
    shared_cafe.reset()
