"""Long tests, which run when they are asked for: `make soak`, or `python -m pytest tests/soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if any("soak" in argument for argument in config.args):
        return
    long = [item for item in items if HERE in item.path.parents]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]
