"""The real istiod, of a real API server."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from localmesh import Admin, ChildProcess, ReservedPort, wait_until
from tests.istio.api_server import ApiServer, write_certificate
from tests.istio.binaries import program
from tests.istio.control_plane import STOCK_ENVOY, rejections

_LISTENERS = ("httpAddr", "httpsAddr", "grpcAddr", "secureGRPCAddr", "monitoringAddr")


class Istiod:
    """istiod, with its webhook. It sets the status of Gateway API's routes.

    Args:
        server: Whose resources it watches. Resource definitions must be there.
        directory: Where to put its files.
        environment: Further variables of its environment.

    Attributes:
        address: `host:port` of its xDS.
        home: The directory that it runs in, where it looks for the templates of sidecars.
    """

    def __init__(self, server: ApiServer, directory: Path, environment: Mapping[str, str] = {}) -> None:
        self._server = server
        self._stack = ExitStack()
        ports = {name: self._stack.enter_context(ReservedPort()) for name in (*_LISTENERS, "ctrlz")}
        self.address = ports["grpcAddr"].address
        self._http = Admin(ports["httpAddr"].address)
        self._webhook = ports["httpsAddr"].address
        mesh = directory / "istiod-mesh.yaml"
        mesh.write_text("enableAutoMtls: false\n")
        write_certificate(server.authority, directory / "istiod")
        self.home = directory / "istiod"
        self.home.mkdir()
        self._process = ChildProcess(
            [
                str(program("pilot-discovery")),
                "discovery",
                "--registries=Kubernetes",
                f"--kubeconfig={server.kubeconfig}",
                f"--meshConfig={mesh}",
                "--networksConfig=/dev/null",
                f"--tlsCertFile={directory / 'istiod.pem'}",
                f"--tlsKeyFile={directory / 'istiod.key'}",
                f"--caCertFile={server.directory / 'ca.pem'}",
                *(f"--{name}={ports[name].address}" for name in _LISTENERS),
                "--ctrlz_address=127.0.0.1",
                f"--ctrlz_port={ports['ctrlz'].number}",
            ],
            log=directory / "istiod.log",
            env={
                **os.environ,
                "POD_NAME": "istiod",
                "POD_NAMESPACE": "istio-system",
                "XDS_AUTH": "false",
                **STOCK_ENVOY,
                **environment,
            },
            cwd=self.home,
        )

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.callback(self._process.stop)
            self._process.start()
            wait_until(self._ready, what="istiod is ready", timeout=60)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    @property
    def rejections(self) -> list[str]:
        """What Envoys have said against the configuration that they got."""
        return rejections(self._process.log.read_text(errors="replace"))

    def webhook(self) -> dict[str, Any]:
        """The configuration with which the API server asks it about each of Istio's resources."""
        rule = {
            "apiGroups": ["networking.istio.io", "security.istio.io"],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["*"],
        }
        return self._configuration("Validating", "validate", rule)

    def injector(self) -> dict[str, Any]:
        """The configuration with which the API server has it add sidecars to pods."""
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        return self._configuration("Mutating", "inject", rule)

    def _configuration(self, kind: str, path: str, rule: Mapping[str, Any]) -> dict[str, Any]:
        bundle = self._server.authority.cert_pem.bytes()
        webhook = {
            "name": f"{path}.istio.io",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "clientConfig": {
                "url": f"https://{self._webhook}/{path}",
                "caBundle": base64.b64encode(bundle).decode(),
            },
            "rules": [rule],
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": "istiod"},
            "webhooks": [webhook],
        }

    def _ready(self) -> bool:
        if not self._process.running:
            raise RuntimeError(f"istiod ended:\n{self._process.log_tail()}")
        return self._http.ready()
