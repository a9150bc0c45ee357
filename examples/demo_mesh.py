"""The demo's mesh: what is generated, and what runs on it."""

import importlib
import itertools
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc

import localmesh

GREETER = Path(__file__).parent / "greeter"
CLUSTER = "greeter-50052"
EDITS = {
    "virtual-host": ("greeter.default.svc.cluster.local", "nobody.default.svc.cluster.local"),
    "internal": ("use_remote_address: true", "use_remote_address: false"),
}
"""Features that are left out by replacing one text by another one in the file of the front desk's Envoy."""


def generate(into: Path, base_port: int = 15000) -> None:
    """Generates messages, protoc's own stubs, ours, and the Envoys' configurations from the protos.

    Args:
        into: The directory for all of that.
        base_port: The first of the ports on which everything listens.

    Raises:
        subprocess.CalledProcessError: protoc failed, and has printed why.
    """
    config = into / "mesh.toml"
    config.write_text(config_file(base_port))
    outputs = [f"--{kind}_out={into}" for kind in ("python", "pyi", "grpc_python", "dubbo-mesh")]
    parameter = f"--dubbo-mesh_opt=emit=python+envoy,config={config}"
    subprocess.run([*protoc(), *outputs, parameter, "greeter.proto", "frontdesk.proto"], check=True)


def config_file(base_port: int) -> str:
    """The plugin's config, for everything to listen on ports from `base_port` on."""
    return (GREETER / "mesh.toml").read_text().replace("15000", str(base_port))


def protoc() -> list[str]:
    """The command that generates, as it begins."""
    plugin = str(Path(sys.executable).with_name("protoc-gen-dubbo-mesh"))
    options = subprocess.check_output([plugin, "--proto-path"], text=True).strip()
    return [sys.executable, "-m", "grpc_tools.protoc", f"--plugin={plugin}", f"-I{GREETER}", f"-I{options}"]


class Provider:
    """One instance of an application, behind an Envoy of its own: as good as a pod."""

    def __init__(self, mesh: "Mesh", name: str, script: str, *arguments: str) -> None:
        self.name = name
        directory = mesh.directory / name
        files = mesh.generated / "envoy" / "laptop"
        self.configuration = files / f"{name}.yaml"
        self.environment = files / f"{name}.env"
        self.sidecar = localmesh.Envoy(name, self.configuration, directory=directory)
        mesh.stack.callback(self.sidecar.close)
        self.app = localmesh.ChildProcess(
            [
                *("/bin/sh", "-c", 'set -a; . "$1"; shift; exec "$@"', "sh", str(self.environment)),
                *(sys.executable, str(GREETER / script), *arguments),
            ],
            log=directory / "app.log",
            env=mesh.environment,
        )
        mesh.stack.callback(self.app.kill)  # at the end of the demo no caller is left, so it need not drain

    @property
    def ingress(self) -> str:
        """Where others call the app: its Envoy's address."""
        listeners = self.sidecar.admin.listeners()
        return next(address for name, address in listeners.items() if name.startswith("inbound"))

    def variables(self) -> dict[str, str]:
        """The variables in the app's environment file."""
        lines = self.environment.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    def wait_serving(self) -> None:
        """Returns when the app answers health checks through its Envoy.

        Raises:
            TimeoutError: It does not; the message has its log.
            ChildProcessError: It ended; the message has its log.
        """
        with grpc.insecure_channel(self.ingress) as channel:
            path = "/grpc.health.v1.Health/Check"
            check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)

            def answered() -> bool:
                try:
                    return check(b"", timeout=1) == b"\x08\x01"  # HealthCheckResponse.SERVING
                except grpc.RpcError:
                    return not self.app.running

            try:
                localmesh.wait_until(answered, what=f"{self.name} serves")
            except TimeoutError as error:
                raise TimeoutError(f"{error}\n{self.app.log_tail()}") from error
            if not self.app.running:
                raise ChildProcessError(f"{self.name} ended:\n{self.app.log_tail()}")

    def replace(self) -> float:
        """Ends the app, then its Envoy, and starts both anew; returns the seconds the app took to end."""
        began = time.monotonic()
        self.app.stop(grace=30)
        took = time.monotonic() - began
        self.sidecar.stop()
        self.sidecar.start()
        self.app.start()
        return took


class Mesh:
    """Everything that runs."""

    def __init__(self, stack: ExitStack, without: set[str]) -> None:
        self.stack = stack
        self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dubbo-mesh-demo-")))
        self.generated = self.directory / "gen"
        self.generated.mkdir()
        self.ports = stack.enter_context(
            localmesh.ReservedPorts(61)
        ).numbers  # 20 for each instance, 1 for Istio
        generate(self.generated, self.ports[0])
        self.environment = os.environ | {"PYTHONPATH": str(self.generated), "PYTHONUNBUFFERED": "1"}
        stop = ["--plain-stop"] if "drain" in without else []
        self.greeters = [
            Provider(self, name, "demo_provider.py", name, *stop) for name in ("greeter-1", "greeter-2")
        ]
        stub = ["--plain-stub"] if "context" in without else []
        self.frontdesk = Provider(self, "frontdesk-1", "demo_frontdesk.py", *stub)
        self.envoy = self.frontdesk.sidecar
        self.next_replaced = itertools.cycle(self.greeters)
        self.without = without

    def leave_out(self, feature: str) -> str:
        """Leaves a feature out, as far as that is done by an edit; returns what was edited."""
        if feature not in EDITS:
            return ""
        old, new = EDITS[feature]
        file = self.frontdesk.configuration
        file.write_text(file.read_text().replace(old, new))
        return f" ({file.name}: `{new}` instead of `{old}`)"

    def start(self) -> None:
        """Starts the Envoys and the apps, and returns when all are healthy."""
        running = [*self.greeters[: 1 if "second-provider" in self.without else 2], self.frontdesk]
        for each in (*self.greeters, self.frontdesk):
            each.sidecar.start()
        for each in running:
            each.app.start()
        for each in running:
            each.wait_serving()
        self.envoy.wait_healthy(CLUSTER, len(running) - 1)

    def entries(self, since: float, count: int, listener: str = "outbound") -> list[dict[str, Any]]:
        """The calls that began after `since`, as a listener of the front desk's Envoy logged them."""
        return self.envoy.access_log.wait_for(
            count, lambda entry: entry["listener"] == listener and float(entry["start"]) >= since
        )

    def stat(self, name: str) -> int:
        """A counter of the front desk's Envoy."""
        return self.envoy.admin.stat(name)


class Greetings:
    """Calls of the greeter, by generated stubs that know nothing but the environment."""

    def __init__(self, generated: Path) -> None:
        sys.path.insert(0, str(generated))
        self._messages = importlib.import_module("greeter_pb2")
        self.stub: Any = importlib.import_module("greeter_mesh").GreeterStub
        self.frontdesk: Any = importlib.import_module("frontdesk_mesh").FrontDeskStub
        self.plain_stub: Any = importlib.import_module("greeter_pb2_grpc").GreeterStub
        self.greeter = self.stub()

    def request(self, name: str) -> Any:
        """The request of every rpc."""
        return self._messages.HelloRequest(name=name)
