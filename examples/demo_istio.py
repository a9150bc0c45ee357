"""The demo's claim about Istio: its own control plane, on the manifests that are generated.

Needs the control plane, which `make istio` builds, and what tests need.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.istio.sidecar import IstioSidecar

ROOT = Path(__file__).parents[1]
MESHD = ROOT / ".cache" / "istio" / "bin" / "meshd"
NAMESPACE = "default"
CALLER = "10.1.2.3"
"""The address of the caller's pod: one of those that count as internal."""

_CONFIG = """
[services."org.apache.dubbo.samples.Greeter"]
port = """


def missing() -> str:
    """Why the claim has to be skipped; empty if it need not be."""
    if not MESHD.exists():
        return "Istio's control plane is not built: `make istio` does that in some minutes, and needs Go"
    if not all(importlib.util.find_spec(module) for module in ("pytest", "yaml")):
        return "what the tests need is not installed: `make istio` does that"
    return ""


@contextmanager
def sidecar(
    protoc: Sequence[str], config: str, port: int, greeters: Sequence[str], directory: Path
) -> Generator["IstioSidecar"]:
    """A stock Envoy that has its configuration from Istio's control plane.

    Args:
        protoc: The command that runs the plugin, without outputs, parameters and protos.
        config: The plugin's config.
        port: The port of the greeter's Service, on which the Envoy listens.
        greeters: `ip:port` of each provider.
        directory: Where to put all files.

    Raises:
        subprocess.CalledProcessError: protoc failed, and has printed why.
        TimeoutError: The control plane, or the Envoy, is not ready in time.
        localmesh.EnvoyError: The Envoy cannot be started.
    """
    # Only now, since the other claims need nothing of the tests.
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    from tests.istio.cluster import CONSUMER, write
    from tests.istio.control_plane import ControlPlane
    from tests.istio.sidecar import IstioSidecar

    directory.mkdir()
    (directory / "mesh.toml").write_text(f"{config}{_CONFIG}{port}\n")
    parameter = f"--dubbo-mesh_opt=emit=kubernetes+istio,config={directory / 'mesh.toml'}"
    subprocess.run([*protoc, f"--dubbo-mesh_out={directory}", parameter, "greeter.proto"], check=True)
    write(directory / "endpoints.yaml", map(_endpoint, range(len(greeters)), greeters))
    manifests = [
        directory / "kubernetes" / "greeter" / "service.yaml",
        directory / "istio",
        directory / "endpoints.yaml",
    ]
    with ControlPlane(manifests, directory) as control_plane:
        envoy = IstioSidecar(CONSUMER, control_plane, directory)
        with envoy:
            envoy.wait_configured()
            yield envoy


def retried(envoy: "IstioSidecar") -> int:
    """How many retries a sidecar has made."""
    stats = envoy.admin.stats("cluster.outbound|")
    return sum(value for name, value in stats.items() if name.endswith(".upstream_rq_retry"))


def _endpoint(number: int, address: str) -> Mapping[str, Any]:
    """What Kubernetes knows of a provider once its pod is ready."""
    host, _, port = address.rpartition(":")
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"greeter-{number}",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": "greeter"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "grpc", "port": int(port), "protocol": "TCP"}],
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
    }
