"""Ports that are free, and stay so while the server on them restarts."""

import errno
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


class ReservedPorts:
    """Ports that follow one another, from a number that is free, and that nothing else gets meanwhile.

    They are below those that the kernel gives to clients. See `ReservedPort` for what can listen on them.

    Attributes:
        numbers: The ports.

    Args:
        count: How many.
        host: The address that they are of.

    Raises:
        OSError: There are not so many.
    """

    def __init__(self, count: int, host: str = "127.0.0.1") -> None:
        for first in range(15000, 32768 - count, count):
            self._sockets: list[socket.socket] = []
            try:
                for number in range(first, first + count):
                    self._sockets.append(_bound_alone(host, number))
            except OSError:  # somebody has that one
                self.close()
            else:
                self.numbers = range(first, first + count)
                return
        raise OSError(errno.EADDRNOTAVAIL, f"there are no {count} free ports in a row")

    def close(self) -> None:
        """Gives the ports back."""
        for each in self._sockets:
            each.close()

    def __enter__(self) -> "ReservedPorts":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _bound_alone(host: str, number: int) -> socket.socket:
    """A socket that was alone on its port when it was bound, and lets a server join it there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.bind((host, number))
    except OSError:
        bound.close()
        raise
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return bound
