"""What localmesh promises to those who build tests on it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import localmesh
from tests import sidecars

if TYPE_CHECKING:
    from tests.mesh.conftest import Consumer, Provider

ROOT = Path(__file__).parents[2]


BOOTSTRAP = """\
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
    - name: teapot
      address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": EXTENSIONS.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: teapot
                access_log:
                  - name: envoy.access_loggers.file
                    typed_config:
                      "@type": EXTENSIONS.access_loggers.file.v3.FileAccessLog
                      path: /dev/stdout
                      log_format: {json_format: {path: "%REQ(:PATH)%", status: "%RESPONSE_CODE%"}}
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes: [{match: {prefix: /}, direct_response: {status: 418}}]
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: {"@type": EXTENSIONS.filters.http.router.v3.Router}
"""


def test_an_envoy_runs_a_file_as_it_is(tmp_path: Path) -> None:
    def get(path: str) -> int:
        client = http.client.HTTPConnection("127.0.0.1", port.number, timeout=5)
        with closing(client):
            client.request("GET", path)
            return client.getresponse().status

    with localmesh.ReservedPort() as port:
        file = tmp_path / "bootstrap.yaml"
        bootstrap = BOOTSTRAP.replace("EXTENSIONS", "type.googleapis.com/envoy.extensions")
        file.write_text(bootstrap.replace("PORT", str(port.number)))
        with localmesh.Envoy("teapot", file, directory=tmp_path / "teapot", log_level="info") as envoy:
            assert get("/first") == 418
            assert envoy.admin.listeners() == {"teapot": f"127.0.0.1:{port.number}"}
            envoy.access_log.wait_for(1)
            envoy.stop()
            envoy.start()  # the admin port is another one now, and Envoy has said which
            assert get("/second") == 418
            assert envoy.admin.stat("http.teapot.downstream_rq_4xx") == 1
            entries = envoy.access_log.wait_for(2)
    assert entries == [{"path": "/first", "status": 418}, {"path": "/second", "status": 418}]
    assert "starting main dispatch loop" in envoy.process.log_tail(100)  # in a file of its own


def test_nobody_knows_where_the_admin_endpoint_of_a_file_is_before_envoy_has_said_it(tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.yaml"
    envoy = localmesh.Envoy("teapot", file, directory=tmp_path / "teapot")
    with pytest.raises(RuntimeError, match="Envoy teapot was not started"):
        _ = envoy.admin_address
    given = localmesh.Envoy("teapot", file, admin="127.0.0.1:15000", directory=tmp_path / "teapot")
    assert given.admin_address == "127.0.0.1:15000"


@pytest.mark.parametrize("end", [sidecars.Sidecar.stop, sidecars.Sidecar.kill])
def test_a_sidecar_comes_back_on_the_same_ports(
    provider: Provider,
    sidecar: Callable[..., sidecars.Sidecar],
    consumer: Callable[..., Consumer],
    end: Callable[[sidecars.Sidecar], None],
) -> None:
    envoy = sidecar(
        "consumer", egress=[sidecars.MeshService("echo", 80, [provider.address], health_check=None)]
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


def test_ports_in_a_row_are_reserved_for_one() -> None:
    with localmesh.ReservedPorts(3) as first, localmesh.ReservedPorts(3) as second, socket.socket() as other:
        assert len(first.numbers) == len(second.numbers) == 3
        assert not set(first.numbers) & set(second.numbers)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", first.numbers[1]))
        # What may share a port, as Envoy and grpc, can be started there.
        with socket.create_server(("127.0.0.1", first.numbers[1]), reuse_port=True) as server:
            socket.create_connection(server.getsockname(), timeout=1).close()


def test_ports_in_a_row_that_are_taken_are_skipped() -> None:
    with localmesh.ReservedPorts(3) as ports:
        taken = ports.numbers[1]
    with (
        socket.create_server(("127.0.0.1", taken), reuse_port=True),
        localmesh.ReservedPorts(3) as others,
    ):
        assert taken not in others.numbers


def test_a_configuration_that_envoy_refuses_is_an_error_with_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    broken = sidecars.Egress([], connection_manager={"codec_type": "HTTP/9"})
    with pytest.raises(localmesh.EnvoyError, match="HTTP/9"), sidecars.Sidecar("broken", egress=broken):
        pass
    (kept,) = tmp_path.iterdir()
    assert {"envoy.json", "envoy.log"} <= {each.name for each in kept.iterdir()}


def test_files_are_removed_after_an_orderly_end() -> None:
    with sidecars.Sidecar("provider", ingress="127.0.0.1:1") as envoy:
        assert (envoy.directory / "envoy.json").exists()
    assert not envoy.directory.exists()


@pytest.mark.parametrize("end", ["sys.exit(0)", f"os.kill(os.getpid(), {signal.SIGKILL})", "1 / 0"])
def test_no_envoy_outlives_the_process_that_started_it(end: str, tmp_path: Path) -> None:
    program = f"""
import os, sys
from tests import sidecars
envoy = sidecars.Sidecar("provider", ingress="127.0.0.1:1")
envoy.start()
print(envoy.process.pid, flush=True)
{end}
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "examples"), "TMPDIR": str(tmp_path)},
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
