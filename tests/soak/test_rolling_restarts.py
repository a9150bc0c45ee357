# ruff: noqa: T201 - what was measured is for people to read
"""Twenty rolling restarts under twelve callers, and what may go wrong with sidecars meanwhile.

Two providers with a sidecar each; one consumer's Envoy with active health checks, panic threshold 0, no
retries.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from tests.serving.rolling import Load, Mesh

pytestmark = pytest.mark.timeout(600)

SETTINGS: dict[str, Any] = {"drain": 5, "quiet": 1, "grace": 5}
CALLERS: dict[str, Any] = {"unary": 6, "streams": 3, "bidis": 3, "seconds": 1.0}
INTERVAL = 0.5
NOBODY = "127.0.0.1:9"  # the discard port: nobody's admin endpoint
RESTARTS = 20


def tell(what: str, load: Load, took: list[float] | None = None) -> None:
    print(f"\n{what}: {load.report()}")
    if took:
        print(f"    {len(took)} restarts; to leave took {min(took):.2f} to {max(took):.2f} s, ", end="")
        print(f"{statistics.median(took):.2f} s in the middle")


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_nothing_is_lost(kind: str, tmp_path: Path) -> None:
    with Mesh(tmp_path, kind, settings=SETTINGS, interval=INTERVAL) as mesh, mesh.load(**CALLERS) as load:
        took = mesh.roll(load, RESTARTS)
    tell(f"{kind}, admin told", load, took)
    assert not load.lost
    assert max(took) < SETTINGS["drain"] + SETTINGS["grace"]


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_nothing_is_lost_with_the_header_alone(kind: str, tmp_path: Path) -> None:
    settings = SETTINGS | {"sidecar_timeout": 0}
    with (
        Mesh(tmp_path, kind, settings=settings, interval=INTERVAL, admin=NOBODY) as mesh,
        mesh.load(**CALLERS) as load,
    ):
        took = mesh.roll(load, RESTARTS)
    tell(f"{kind}, admin out of reach", load, took)
    assert not load.lost


def test_a_plain_stop_loses_calls(tmp_path: Path) -> None:
    with (
        Mesh(tmp_path, "plain", settings={"grace": 5}, interval=INTERVAL) as mesh,
        mesh.load(**CALLERS) as load,
    ):
        took = mesh.roll(load, RESTARTS)
    tell("server.stop(grace) on SIGTERM", load, took)
    assert load.lost.total() > RESTARTS


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_a_sidecar_that_is_killed_and_restarted_is_told_again(kind: str, tmp_path: Path) -> None:
    """Calls through it are lost when it dies; the restarts of the applications after that lose none."""
    with Mesh(tmp_path, kind, settings=SETTINGS, interval=INTERVAL) as mesh, mesh.load(**CALLERS) as load:
        for pod in mesh.pods:
            load.wait_answered(50)
            pod.sidecar.kill()
            killed = time.monotonic()
            mesh.consumer.wait_healthy("echo", 1)
            pod.sidecar.start()
            mesh.consumer.wait_healthy("echo", 2)
            load.wait_answered(50)
            assert all(lost_at < killed + INTERVAL + 1.5 for lost_at in load.lost_at)
        at_the_kill = load.lost.total()
        took = mesh.roll(load, 4)
        assert load.lost.total() == at_the_kill
        # One is killed while its application drains: it comes back failing, and hears so again.
        pod = mesh.pods[0]
        os.kill(pod.app.pid, signal.SIGTERM)
        mesh.consumer.wait_healthy("echo", 1)
        pod.sidecar.kill()
        pod.sidecar.start()
        pod.app.wait(20)
        pod.app.start()
        mesh.consumer.wait_healthy("echo", 2)
        load.wait_answered(50)
    tell(f"{kind}, sidecars killed", load, took)
    print(f"    {at_the_kill} lost when the sidecars were killed, none by the restarts after that, ", end="")
    print(f"{load.lost.total() - at_the_kill} by a sidecar killed while its application drained")


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_a_provider_that_is_killed_loses_no_more_than_until_the_next_check(kind: str, tmp_path: Path) -> None:
    lost: list[int] = []
    with Mesh(tmp_path, kind, settings=SETTINGS, interval=INTERVAL) as mesh, mesh.load(**CALLERS) as load:
        for pod in mesh.pods * 2:
            load.wait_answered(50)
            before = load.lost.total()
            pod.app.kill()
            killed = time.monotonic()
            mesh.consumer.wait_healthy("echo", 1)
            noticed = time.monotonic() - killed
            load.wait_answered(50)
            # A check answers within its timeout of 1 s; what was sent before may still fail then.
            assert noticed < INTERVAL + 1.0
            assert all(lost_at < killed + noticed + 0.5 for lost_at in load.lost_at)
            lost.append(load.lost.total() - before)
            pod.app.start()
            mesh.consumer.wait_healthy("echo", 2)
    tell(f"{kind}, SIGKILL", load)
    print(f"    lost at each kill: {lost}")
