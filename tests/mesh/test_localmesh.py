"""What localmesh promises to those who build tests on it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import localmesh

if TYPE_CHECKING:
    from tests.mesh.conftest import Consumer, Provider


@pytest.mark.parametrize("end", [localmesh.Sidecar.stop, localmesh.Sidecar.kill])
def test_a_sidecar_comes_back_on_the_same_ports(
    provider: Provider,
    sidecar: Callable[..., localmesh.Sidecar],
    consumer: Callable[..., Consumer],
    end: Callable[[localmesh.Sidecar], None],
) -> None:
    envoy = sidecar(
        "consumer", egress=[localmesh.MeshService("echo", 80, [provider.address], health_check=None)]
    )
    before = (envoy.egress, envoy.admin_address)
    consumer(envoy.egress).call()
    end(envoy)
    assert not envoy.process.running
    assert not envoy.admin.ready()
    envoy.start()
    consumer(envoy.egress).call()
    assert (envoy.egress, envoy.admin_address) == before


def test_nobody_else_gets_a_reserved_port() -> None:
    with localmesh.ReservedPort() as port, socket.socket() as other:
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port.number))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port.number), timeout=1)


def test_a_configuration_that_envoy_refuses_is_an_error_with_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    broken = localmesh.Egress([], connection_manager={"codec_type": "HTTP/9"})
    with pytest.raises(localmesh.EnvoyError, match="HTTP/9"), localmesh.Sidecar("broken", egress=broken):
        pass
    (kept,) = tmp_path.iterdir()
    assert {"envoy.json", "envoy.log"} <= {each.name for each in kept.iterdir()}


def test_files_are_removed_after_an_orderly_end() -> None:
    with localmesh.Sidecar("provider", ingress="127.0.0.1:1") as envoy:
        assert (envoy.directory / "envoy.json").exists()
    assert not envoy.directory.exists()


@pytest.mark.parametrize("end", ["sys.exit(0)", f"os.kill(os.getpid(), {signal.SIGKILL})", "1 / 0"])
def test_no_envoy_outlives_the_process_that_started_it(end: str, tmp_path: Path) -> None:
    program = f"""
import os, sys, localmesh
envoy = localmesh.Sidecar("provider", ingress="127.0.0.1:1")
envoy.start()
print(envoy.process.pid, flush=True)
{end}
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(Path(localmesh.__file__).parents[1]), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    stat = Path("/proc", run.stdout.strip(), "stat")

    def gone() -> bool:
        try:
            return (
                stat.read_text().rpartition(") ")[2].startswith("Z")
            )  # whoever adopted it may be slow to reap
        except (FileNotFoundError, ProcessLookupError):
            return True

    localmesh.wait_until(gone, what="Envoy is gone", timeout=2)


def test_waiting_ends_with_what_was_seen_last() -> None:
    with pytest.raises(TimeoutError, match=r"waited 0\.01 s until pigs fly; last seen: 0"):
        localmesh.wait_until(lambda: 0, what="pigs fly", timeout=0.01)
