"""The programs that `make istio` builds from the Go sources in this directory."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILT = HERE.parents[1] / ".cache" / "istio"
DEFINITIONS = BUILT / "definitions"
"""The definitions of Istio's and the Gateway API's resources, as of the programs' own modules."""


def program(name: str) -> Path:
    """The program; the test is skipped, saying why, if it was not built."""
    built = BUILT / "bin" / name
    if not built.exists():
        pytest.skip(f"{name} is not built: `make istio` does that, and needs Go")
    return built
