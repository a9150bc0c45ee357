"""The doctor on what Istio sends to its own Envoys: with mTLS, and filters that stock ones lack.

Run by `make istio`. No Envoy is there: the configuration is read as istiod shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from dubbo_mesh._doctor.finding import Finding
from tests.doctor import running
from tests.doctor.running import ids
from tests.istio import cluster
from tests.istio.accepting_proxy import AcceptingProxy
from tests.istio.cluster import Pod
from tests.istio.conftest import Emit
from tests.istio.control_plane import ControlPlane
from tests.istio.emitting import Emitted
from tests.istio.faults import bad

CONSUMER = cluster.CONSUMER._replace(address="10.1.2.3")
PODS = (
    Pod("greeter-1", "10.1.2.4", {"app": "greeter", "version": "v1"}),
    Pod("greeter-2", "10.1.2.5", {"app": "greeter", "version": "v2"}),
)
VARIABLES = {
    "DUBBO_MESH_FORWARDED_FOR": "pod",
    "DUBBO_MESH_PROBES": "off",
    "POD_IP": CONSUMER.address,
    "POD_NAMESPACE": CONSUMER.namespace,
}

Examine = Callable[..., list[Finding]]


@pytest.fixture
def examine(tmp_path: Path) -> Examine:
    """What the doctor finds in the configuration of a consumer's sidecar: `examine(emitted)`."""

    def run(emitted: Emitted, interception: str = "REDIRECT") -> list[Finding]:
        consumer = CONSUMER._replace(interception=interception)
        filled_in, dump = tmp_path / "filled-in.yaml", tmp_path / "config_dump.json"
        cluster.write(filled_in, cluster.filled_in(cluster.read(*emitted.manifests), [*PODS, CONSUMER]))
        with (
            ControlPlane([*emitted.manifests, filled_in], tmp_path, stock=False) as control_plane,
            AcceptingProxy(consumer.node(), control_plane.address),
        ):
            dump.write_text(control_plane.config_dump(f"{CONSUMER.name}.{CONSUMER.namespace}"))
        assert "istio.alpn" in dump.read_text()
        with patch.dict("sys.modules", {"greeter_mesh": emitted.module}):
            return running.examined("greeter_mesh", variables=VARIABLES, config_dumps=[dump])

    return run


@pytest.mark.parametrize(
    ("policy", "interception"), [("headers", "REDIRECT"), ("routes", "REDIRECT"), ("routes", "TPROXY")]
)
def test_emitted_files_are_well(policy: str, interception: str, emit: Emit, examine: Examine) -> None:
    findings = examine(emit("emit=python+kubernetes+istio", f"policy={policy}"), interception)
    assert bad(findings) == set()
    assert {each.subject for each in findings if each.check == "rpc"} == {
        *(f"greeter.v1.Greeter/{rpc}" for rpc in ("hello", "look", "slow", "watch")),
        "greeter.v1.Canary/hello",
    }
    hosts = [each.finding for each in findings if each.check == "upstream"]
    assert len(hosts) == 2
    assert "2 healthy hosts" in hosts[0]
    assert "1 healthy host," in hosts[1]


@pytest.mark.finds("DM301")
def test_headers_need_an_envoy_filter(emit: Emit, examine: Examine) -> None:
    emitted = emit("emit=python+kubernetes+istio", config="[istio]\ninternal_addresses = []\n")
    assert "DM301" in ids(examine(emitted))
