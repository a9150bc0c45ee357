"""Redirects connections to a sidecar, as Istio does with iptables: without these, and without rights.

The sidecar is told where a connection was opened to by the PROXY protocol instead of the kernel. Everything
from there on is Istio's configuration as it is in a pod.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any
from unittest.mock import patch

from tests.istio import resources
from tests.istio.cluster import Manifest

_PROXY_PROTOCOL = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"


def ports(outbound: int, inbound: int) -> str:
    """The mesh's configuration with other ports than 15001 and 15006, in YAML."""
    return f"proxyListenPort: {outbound}\nproxyInboundListenPort: {inbound}\n"


def proxy_protocol(labels: Mapping[str, str]) -> Manifest:
    """Has the sidecars of pods with these labels believe where connections say that they were opened to."""
    filter = {
        "name": "envoy.filters.listener.proxy_protocol",
        "typed_config": {"@type": f"type.googleapis.com/{_PROXY_PROTOCOL}"},
    }
    change = {
        "applyTo": "LISTENER",
        "match": {"context": "SIDECAR_OUTBOUND", "listener": {"name": "virtualOutbound"}},
        "patch": {"operation": "MERGE", "value": {"listener_filters": [filter]}},
    }
    return resources.envoy_filter("proxy-protocol", labels, change)


class Interceptor:
    """Accepts connections in the place of an address, and hands them to a sidecar.

    Args:
        destination: The address and port that stand for it.
        sidecar: The port of the sidecar's listener for all connections that are redirected.
        source: The address that connections come from.

    Attributes:
        address: `host:port` to connect to instead.
        port: Its port.
    """

    def __init__(self, destination: tuple[str, int], sidecar: int, source: str) -> None:
        self._destination = destination
        self._sidecar = sidecar
        self._source = source
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open = ExitStack()
        self.port: int = self._listening.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Accepts no more connections, and closes the open ones."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join()
        self._open.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, (_, port) = self._listening.accept()
            except OSError:  # closed
                return
            callee = socket.create_connection(("127.0.0.1", self._sidecar))
            host, destination_port = self._destination
            header = f"PROXY TCP4 {self._source} {host} {port} {destination_port}\r\n"
            callee.sendall(header.encode())
            for each, other in ((caller, callee), (callee, caller)):
                self._open.callback(_shut, each)
                thread = threading.Thread(target=_relay, args=(each, other), daemon=True)
                thread.start()
                self._open.enter_context(closing(each))
                self._open.callback(thread.join)
                self._open.callback(_shut, each)


def _relay(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
    except OSError:
        pass
    _shut(source)
    _shut(sink)


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)


@contextmanager
def redirected(
    names: Mapping[str, str], interceptors: Mapping[tuple[str, int], Interceptor]
) -> Generator[None]:
    """Has this process's own sockets (not grpc's) behave as in a pod whose connections are redirected.

    Args:
        names: Addresses by the names that stand for them, without a dot at the end.
        interceptors: What connections to an address and port get instead.
    """
    resolve, connect = socket.getaddrinfo, socket.create_connection

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        return resolve(names.get(str(host).rstrip("."), host), port, *arguments, **options)

    def create_connection(address: tuple[str, int], *arguments: Any, **options: Any) -> socket.socket:
        host, port = address
        opened_to = (names.get(host.rstrip("."), host), port)
        interceptor = interceptors.get(opened_to)
        if interceptor is None:
            return connect(address, *arguments, **options)
        opened = connect(("127.0.0.1", interceptor.port), *arguments, **options)
        timeout = opened.gettimeout()
        redirected = _Redirected(fileno=opened.detach())
        redirected.settimeout(timeout)
        redirected.opened_to = opened_to
        return redirected

    with patch("socket.getaddrinfo", getaddrinfo), patch("socket.create_connection", create_connection):
        yield


class _Redirected(socket.socket):
    """A socket that says, as in a pod, that it is connected to where it was opened to."""

    opened_to: tuple[str, int]

    def getpeername(self) -> tuple[str, int]:
        return self.opened_to
