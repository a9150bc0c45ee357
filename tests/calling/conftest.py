"""The bench of real Envoys, started once for the tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.calling import mesh


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mesh.Bench]:
    with mesh.started(tmp_path_factory.mktemp("calling")) as bench:
        yield bench
