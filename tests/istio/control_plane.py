"""Istio's control plane over a directory of manifests."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

from localmesh import ChildProcess, ReservedPort, wait_until
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
        stock: Whether it is for stock Envoys; if not, only Istio's own take what it sends.

    Attributes:
        address: `host:port` of its xDS.
    """

    def __init__(
        self, manifests: Sequence[Path], directory: Path, mesh: str = "", *, stock: bool = True
    ) -> None:
        configuration = directory / "mesh.yaml"
        configuration.write_text(_MESH + mesh if stock else mesh)
        self._debug = ReservedPort()
        options = ["-mesh", str(configuration), "-debug", self._debug.address]
        command = [str(program("meshd")), *options, *map(str, manifests)]
        environment = {**os.environ, **STOCK_ENVOY} if stock else {**os.environ}
        self._process = ChildProcess(command, log=directory / "meshd.log", env=environment)
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
        self._debug.close()

    def config_dump(self, node: str) -> str:
        """What it has sent to a client, in the form of Envoy's `/config_dump`: JSON in camel case.

        Args:
            node: `pod.namespace`.
        """
        connection = HTTPConnection(self._debug.address, timeout=10)
        try:
            connection.request("GET", f"/debug/config_dump?include_eds&proxyID={node}")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

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
