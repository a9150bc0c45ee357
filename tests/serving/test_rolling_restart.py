"""Providers are replaced under load through real Envoys that retry nothing, and no call is lost.

`make soak` does the same at length; see tests/soak.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.serving.conftest import Kind
from tests.serving.rolling import Mesh

SETTINGS: dict[str, Any] = {"drain": 5, "quiet": 1, "grace": 5}
NOBODY = "127.0.0.1:9"  # the discard port: nobody's admin endpoint


def test_no_call_is_lost(kind: Kind, tmp_path: Path) -> None:
    with Mesh(tmp_path, kind, settings=SETTINGS) as mesh, mesh.load() as load:
        mesh.roll(load, 3)
        logs = [pod.app.log.read_text() for pod in mesh.pods]
    assert not load.lost, load.report()
    assert set(load.answered) == {"unary", "server stream", "bidi"}
    # Neither waited until its drain time was over, nor cut calls off.
    assert sum(log.count("no call for 1 s") for log in logs) == 3
    assert sum(log.count("all calls have ended") for log in logs) == 3


def test_no_call_is_lost_if_the_admin_cannot_be_reached(tmp_path: Path) -> None:
    settings = SETTINGS | {"sidecar_timeout": 0}
    with Mesh(tmp_path, "sync", settings=settings, admin=NOBODY) as mesh, mesh.load() as load:
        mesh.roll(load, 2)
    assert not load.lost, load.report()


def test_a_plain_stop_loses_calls(tmp_path: Path) -> None:
    with Mesh(tmp_path, "plain", settings={"grace": 5}) as mesh, mesh.load() as load:
        mesh.roll(load, 2)
    assert load.lost.total() > 10
