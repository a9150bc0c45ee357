"""A minute of silence, in which the caller pings every second; tests/serving has a faster one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.serving.pings import PingingCall
from tests.soak.servers import ServerProcess


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_a_minute_of_silence(kind: str, tmp_path: Path) -> None:
    with (
        ServerProcess(kind, tmp_path / "log") as server,
        PingingCall(server.address, "hold 62") as call,
    ):
        for number in range(60):
            call.ping(number)
            time.sleep(1)
        assert call.status is None
        assert call.end() == "0"
