"""Ports that are free, and stay so while the server on them restarts."""

import socket


class ReservedPort:
    """A free TCP port that nothing else gets while this object is open.

    A bound socket holds the port and never listens: with SO_REUSEADDR and SO_REUSEPORT, which
    Envoy and grpc set too, a server of the same user can listen on it, again and again, and in
    between the kernel gives the port to nobody else.

    Attributes:
        number: The port.
        address: `host:port`.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind((host, 0))
        self.number: int = self._socket.getsockname()[1]
        self.address = f"{host}:{self.number}"

    def close(self) -> None:
        """Gives the port back."""
        self._socket.close()

    def __enter__(self) -> "ReservedPort":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._socket.close()

    def __repr__(self) -> str:
        return f"ReservedPort({self.address})"
