"""One server as a process, and what it costs."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any, Self

import grpc

import localmesh
from tests.serving.conftest import Health, probe
from tests.serving.rolling import ROOT


class ServerProcess:
    """A provider's process without a sidecar, with probes."""

    def __init__(self, kind: str, log: Path, **settings: Any) -> None:
        self._port = localmesh.ReservedPort()
        self._probes = localmesh.ReservedPort()
        self.address = self._port.address
        self.probes = self._probes.number
        settings = {"sidecar": "off", "probes": self._probes.address, "drain": 0, "quiet": 0, **settings}
        arguments = [f"{name}={json.dumps(value)}" for name, value in settings.items()]
        command = [sys.executable, "-m", "tests.serving.provider_process", kind, self.address, *arguments]
        self.child = localmesh.ChildProcess(command, log=log, cwd=ROOT)

    def __enter__(self) -> Self:
        self.child.start()
        localmesh.wait_until(self._ready, what="the server is ready")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.child.kill()
        self._port.close()
        self._probes.close()

    def _ready(self) -> bool:
        try:
            return probe(self.probes, "/ready") == (200, "true")
        except OSError:
            return False

    @property
    def memory(self) -> int:
        """Resident memory, in bytes."""
        return 1024 * self._status("VmRSS")

    @property
    def threads(self) -> int:
        return self._status("Threads")

    @property
    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.child.pid}/fd").iterdir()))

    def _status(self, field: str) -> int:
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        found = re.search(rf"^{field}:\s+(\d+)", status, re.MULTILINE)
        assert found is not None
        return int(found[1])

    def slowest_answers(self, rounds: int = 20) -> tuple[float, float]:
        """The slowest health check and the slowest probe of some, in seconds."""
        checks: list[float] = []
        probes: list[float] = []
        with grpc.insecure_channel(self.address) as channel:
            health = Health(channel)
            for _ in range(rounds):
                began = time.monotonic()
                assert health.check() == "SERVING"
                checks.append(time.monotonic() - began)
                began = time.monotonic()
                assert probe(self.probes, "/ready") == (200, "true")
                probes.append(time.monotonic() - began)
        return max(checks), max(probes)

    def leave(self) -> float:
        """Ends the process with SIGTERM; returns the seconds it took."""
        began = time.monotonic()
        os.kill(self.child.pid, signal.SIGTERM)
        assert self.child.wait(30) == 0
        return time.monotonic() - began
