"""The demo's claim about Istio holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.istio.binaries import program

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


def test_the_demo_shows_istios_own_control_plane() -> None:
    program("meshd")
    demo = subprocess.run(
        [sys.executable, str(DEMO), "--rounds=0"], capture_output=True, text=True, timeout=120, check=False
    )
    assert "ok      Istio's own control plane runs on what is generated" in demo.stdout, demo.stdout
    assert demo.returncode == 0, demo.stderr
