"""The mesh of `tests/addressing`, and certificates."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme

from tests.addressing.conftest import bare_environment, egress, mesh

__all__ = ["bare_environment", "egress", "mesh"]

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Certificates:
    """A certificate authority that a provider and a consumer have certificates of.

    Attributes:
        authority: PEM of the authority's own certificate.
        server: the provider's private key and certificate chain, for `localhost` and `provider.test`.
        client: the consumer's.
    """

    authority: bytes
    server: tuple[bytes, bytes]
    client: tuple[bytes, bytes]

    def server_credentials(self, *, mutual: bool) -> grpc.ServerCredentials:
        return grpc.ssl_server_credentials([self.server], self.authority if mutual else None, mutual)

    def client_credentials(self, *, mutual: bool) -> grpc.ChannelCredentials:
        key, chain = self.client if mutual else (None, None)
        return grpc.ssl_channel_credentials(self.authority, key, chain)

    def write_authority(self, directory: Path) -> Path:
        file = directory / "authority.pem"
        file.write_bytes(self.authority)
        return file


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    authority = trustme.CA()
    pairs: list[tuple[bytes, bytes]] = []
    for names in (("localhost", "provider.test"), ("consumer@example.test",)):
        issued = authority.issue_cert(*names)
        chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
        pairs.append((issued.private_key_pem.bytes(), chain))
    return Certificates(authority.cert_pem.bytes(), pairs[0], pairs[1])


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Runs a Python program in a process of its own; returns what it printed."""

    def run(program: str, *arguments: str) -> str:
        finished = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (finished.returncode, finished.stderr) == (0, "")
        return finished.stdout

    return run
