"""The bench of real Envoys, started once for the tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.headers.bench import Bench


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-docs", action="store_true", help="write what was measured into docs/")


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench
