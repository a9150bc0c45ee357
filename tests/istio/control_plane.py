"""Istio's control plane over a directory of manifests."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from localmesh import ChildProcess, wait_until
from tests.istio.binaries import program

# Filters that Istio's own Envoy has, and a stock one lacks.
STOCK_ENVOY = {"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false"}
_MESH = "enableAutoMtls: false\n"


class ControlPlane:
    """`meshd`, serving xDS.

    Args:
        manifests: Files and directories.
        directory: Where to put its log and configuration.
        mesh: More of the mesh's configuration, in YAML.

    Attributes:
        address: `host:port` of its xDS.
    """

    def __init__(self, manifests: Sequence[Path], directory: Path, mesh: str = "") -> None:
        configuration = directory / "mesh.yaml"
        configuration.write_text(_MESH + mesh)
        command = [str(program("meshd")), "-mesh", str(configuration), *map(str, manifests)]
        self._process = ChildProcess(command, log=directory / "meshd.log", env={**os.environ, **STOCK_ENVOY})
        self.address = ""

    def __enter__(self) -> Self:
        self._process.start()
        try:
            self.address = wait_until(self._address, what="the control plane serves", timeout=30)
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.stop()

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._process.log.read_text(errors="replace")

    @property
    def rejections(self) -> list[str]:
        """What Envoys have said against the configuration they got. The texts differ from run to run."""
        return rejections(self.log)

    def _address(self) -> str:
        if not self._process.running:
            raise RuntimeError(f"meshd ended:\n{self._process.log_tail()}")
        found = re.search(r"^serving xDS on (\S+)$", self.log, re.MULTILINE)
        return found[1] if found else ""


def rejections(log: str) -> list[str]:
    """What Envoys have said against the configuration that they got, as a control plane logs it."""
    return re.findall(r"ACK ERROR (.*)", log)
