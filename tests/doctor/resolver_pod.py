"""Plays a pod with name servers of several kinds, in namespaces of its own: prints what happens, as JSON.

unshare --mount --net python -m tests.doctor.resolver_pod DIRECTORY
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc

from tests.addressing.nameserver import NameServer
from tests.addressing.pod import RESOLV_CONF, bring_loopback_up, replace_resolv_conf
from tests.doctor.running import examined

DOMAIN = "default.svc.cluster.local"
ALIVE, SILENT, REFUSING, ABSENT, SLOW = (f"127.0.0.{number}" for number in range(1, 6))
PORT = 50051
SERVFAIL = 2


class OtherNameServer:
    """Receives queries, and does something else than answer them."""

    def __init__(self, address: str, handle: Callable[[socket.socket, bytes, Any], None]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._handle = handle
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, peer = self._socket.recvfrom(4096)
            threading.Thread(target=self._handle, args=(self._socket, query, peer), daemon=True).start()


def ignore(_: socket.socket, __: bytes, ___: Any) -> None:
    """As when a NetworkPolicy drops packets."""


def fail(server: socket.socket, query: bytes, peer: Any) -> None:
    server.sendto(query[:2] + bytes([0x81, 0x80 | SERVFAIL]) + query[4:6] + bytes(6) + query[12:], peer)


def pass_on_slowly(server: socket.socket, query: bytes, peer: Any) -> None:
    time.sleep(1.01)  # longer than what counts as slow
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.settimeout(5)
        asked.sendto(query, (ALIVE, 53))
        server.sendto(asked.recv(4096), peer)


def call(app: str, timeout: float) -> str:
    """The status of a call by a plain channel, and what it says."""
    with grpc.insecure_channel(f"dns:///{app}.{DOMAIN}.:{PORT}") as channel:
        try:
            channel.unary_unary("/a.B/c", bytes, bytes)(b"", timeout=timeout)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
    return "OK"


def main() -> None:
    directory = Path(sys.argv[1])
    bring_loopback_up()
    replace_resolv_conf(directory)
    names = {
        f"echo.{DOMAIN}": ["127.0.0.1"],
        f"many.{DOMAIN}": [f"127.0.0.{number}" for number in range(1, 7)],
        f"empty.{DOMAIN}": [],
    }
    alive = NameServer(ALIVE, names)
    OtherNameServer(SILENT, ignore)
    OtherNameServer(REFUSING, fail)
    OtherNameServer(SLOW, pass_on_slowly)
    provider = grpc.server(ThreadPoolExecutor(2))
    provider.add_insecure_port(f"127.0.0.1:{PORT}")
    provider.start()
    seen: dict[str, Any] = {}

    def look(what: str, server: str, app: str, timeout: float = 10.0, *, calls: bool = True) -> None:
        (directory / "resolv.conf").write_text(RESOLV_CONF.replace("127.0.0.1", server))
        alive.queries.clear()
        variables = {"DUBBO_MESH_ADMIN": "off", "POD_NAMESPACE": "default"}
        findings = examined(f"{app}:{PORT}", variables=variables, timeout=timeout)
        seen[what] = {
            "findings": [asdict(each) for each in findings],
            "queries": sorted(alive.queries),
            "call": call(app, timeout) if calls else "",
        }

    look("found", ALIVE, "echo")
    look("many", ALIVE, "many")
    look("unknown", ALIVE, "unknown")
    look("no address", ALIVE, "empty")
    look("absent", ABSENT, "echo")
    look("failing", REFUSING, "echo")
    look("silent", SILENT, "echo", 0.3)
    look("slow", SLOW, "echo", calls=False)
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
