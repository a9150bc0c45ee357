"""Where all is well, nothing is found, and each check says so."""

from __future__ import annotations

import dubbo_mesh
from tests import sidecars
from tests.calling.echo import EchoServicer
from tests.doctor.running import run


def test_a_process_beside_its_sidecar_and_its_server() -> None:
    with (
        dubbo_mesh.Server(
            EchoServicer(), address="127.0.0.1:0", sidecar="off", probes="127.0.0.1:0", drain=0
        ) as server,
        sidecars.Sidecar(
            "consumer",
            egress=[sidecars.MeshService("echo", port=50051, endpoints=[f"127.0.0.1:{server.ports[0]}"])],
        ) as consumer,
    ):
        consumer.wait_healthy("echo", 1)
        status, findings = run(
            "echo:50051",
            f"--server=127.0.0.1:{server.ports[0]}",
            "--grace=30",
            "--fail-on=warning",
            variables={
                "DUBBO_MESH_EGRESS": consumer.egress,
                "DUBBO_MESH_ADMIN": consumer.admin_address,
                "DUBBO_MESH_PROBES": f"127.0.0.1:{server.probes_port}",
            },
        )
    assert status == 0, findings
    well = {each["check"] for each in findings if each["status"] == "ok"}
    assert well >= {"environment", "dial", "reachable", "admin", "headers", "health", "probes", "grace"}
