"""Instances that fail their health checks, on the files that are emitted."""

from __future__ import annotations

from pathlib import Path

import grpc

from localmesh import wait_until
from tests.plain_envoy.calling import caller
from tests.plain_envoy.conftest import open_cafe
from tests.plain_envoy.emitted import Emitted

COOK = "/cafe.Orders/Cook"


def called_while_all_fail(directory: Path, *edits: tuple[str, str]) -> str:
    """What becomes of a call when the Envoys of all instances say that they are leaving."""
    files = Emitted(directory)
    try:
        with (
            open_cafe(files),
            files.envoy("cafe-1") as one,
            files.envoy("cafe-2") as other,
            files.envoy("consumer", *edits) as envoy,
            caller(files.variables("consumer")["DUBBO_MESH_EGRESS"]) as calls,
        ):
            envoy.wait_healthy("cafe-50051", 2)
            for each in (one, other):
                each.admin.fail_health_check()
            wait_until(
                lambda: not any(host.healthy for host in envoy.admin.hosts("cafe-50051")), what="all fail"
            )
            try:
                return calls.call(COOK)
            except grpc.RpcError as error:
                return error.details() or ""
    finally:
        files.close()


def test_they_are_not_called_even_if_all_fail(tmp_path: Path) -> None:
    assert called_while_all_fail(tmp_path) == "no healthy upstream"


def test_they_are_with_the_threshold_that_envoy_has(tmp_path: Path) -> None:
    panics = ("          value: 0\n", "          value: 50\n")
    assert called_while_all_fail(tmp_path, panics).startswith("127.0.0.1:")
