"""A real kube-apiserver, with its etcd, on loopback."""

from __future__ import annotations

import json
import os
import secrets
import ssl
import subprocess
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from localmesh import ChildProcess, ReservedPort, wait_until
from tests.istio.binaries import program


class ApiServer:
    """The API server: no kubelet, no controllers, no admission but the built-in one.

    Args:
        directory: Where to put everything: keys and certificates, which are made here, data and logs.

    Attributes:
        authority: The certificate authority of the server, and of whatever else needs one.
        kubeconfig: The file with which clients find the server, and are allowed everything.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = trustme.CA()
        self.kubeconfig = directory / "kubeconfig"
        self._stack = ExitStack()
        self._token = secrets.token_hex(16)
        port, client, peer = (self._stack.enter_context(ReservedPort()) for _ in range(3))
        self._url = f"https://{port.address}"
        self._write_files()
        self._process = ChildProcess(
            [
                str(program("kubed")),
                *("-data", str(directory / "etcd")),
                *("-etcd-client", str(client.number)),
                *("-etcd-peer", str(peer.number)),
                "--",
                "--bind-address=127.0.0.1",
                f"--secure-port={port.number}",
                f"--tls-cert-file={directory / 'server.pem'}",
                f"--tls-private-key-file={directory / 'server.key'}",
                f"--token-auth-file={directory / 'tokens.csv'}",
                "--authorization-mode=AlwaysAllow",
                "--anonymous-auth=false",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={directory / 'accounts.pub'}",
                f"--service-account-signing-key-file={directory / 'accounts.key'}",
                "--disable-admission-plugins=ServiceAccount",  # no controller makes accounts
                "--service-cluster-ip-range=10.0.0.0/24",
                "--endpoint-reconciler-type=none",
                "--allow-privileged=true",
            ],
            log=directory / "kubed.log",
        )

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.callback(self._process.kill)
            self._process.start()
            wait_until(self._ready, what="the API server is ready", timeout=60)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def kubectl(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs kubectl."""
        return subprocess.run(
            [program("kubectl"), f"--cache-dir={self.directory / 'cache'}", *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def apply(self, *arguments: str | Path) -> str:
        """Runs `kubectl apply`, on the server's side and strictly; returns what it prints.

        Raises:
            AssertionError: The server refuses something.
        """
        done = self.kubectl("apply", "--server-side", "--validate=strict", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def try_out(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs `kubectl apply` likewise, but nothing is kept."""
        return self.kubectl("apply", "--server-side", "--validate=strict", "--dry-run=server", *arguments)

    def get(self, *arguments: str) -> dict[str, Any]:
        """What `kubectl get` finds."""
        done = self.kubectl("get", "--output=json", *arguments)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def define(self, definitions: Path) -> None:
        """Adds resource definitions, and waits until they count."""
        self.apply("-f", definitions)
        done = self.kubectl("wait", "--for=condition=Established", "--all", "--timeout=60s", "crd")
        assert done.returncode == 0, done.stderr

    def _ready(self) -> bool:
        if not self._process.running:
            raise RuntimeError(f"kubed ended:\n{self._process.log_tail()}")
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        request = urllib.request.Request(
            f"{self._url}/readyz", headers={"Authorization": f"Bearer {self._token}"}
        )
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({})
        )
        try:
            with opener.open(request, timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def _write_files(self) -> None:
        write_certificate(self.authority, self.directory / "server")
        self.authority.cert_pem.write_to_path(self.directory / "ca.pem")
        key = ec.generate_private_key(ec.SECP256R1())
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        (self.directory / "accounts.key").write_bytes(private)
        (self.directory / "accounts.pub").write_bytes(public)
        (self.directory / "tokens.csv").write_text(f'{self._token},test,test,"system:masters"\n')
        self.kubeconfig.write_text(json.dumps(self._kubeconfig()))

    def _kubeconfig(self) -> Mapping[str, Any]:
        cluster = {"server": self._url, "certificate-authority": str(self.directory / "ca.pem")}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": self._token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }


def write_certificate(authority: trustme.CA, stem: Path) -> None:
    """Writes a certificate for 127.0.0.1 to `stem`.pem, and its key to `stem`.key."""
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(stem.with_suffix(".key"))
    for number, part in enumerate(certificate.cert_chain_pems):
        part.write_to_path(stem.with_suffix(".pem"), append=number > 0)
