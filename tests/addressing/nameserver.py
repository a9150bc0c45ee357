"""A small real DNS server: answers A queries for the names it knows, and records all queries."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping, Sequence

_TYPES = {1: "A", 28: "AAAA", 16: "TXT", 33: "SRV", 5: "CNAME"}
_NO_ERROR, _NAME_ERROR = 0, 3
_POINTER_TO_QUESTION = 0xC00C


class NameServer:
    """Serves on UDP until the process ends.

    Args:
        address: the IP address to serve on, at port 53.
        names: the addresses of each name, without a trailing dot; what is not in it does not exist.

    Attributes:
        queries: what was asked, as (type, name).
    """

    def __init__(self, address: str, names: Mapping[str, Sequence[str]]) -> None:
        self.queries: list[tuple[str, str]] = []
        self._names = names
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, peer = self._socket.recvfrom(4096)
            self._socket.sendto(self._answer(query), peer)

    def _answer(self, query: bytes) -> bytes:
        labels: list[str] = []
        at = 12  # behind the header (RFC 1035, 4.1.1)
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        end = at + 5
        name, kind = ".".join(labels).lower(), int.from_bytes(query[at + 1 : at + 3])
        self.queries.append((_TYPES.get(kind, str(kind)), name))
        known = self._names.get(name)
        addresses = (known or ()) if kind == 1 else ()
        code = _NAME_ERROR if known is None else _NO_ERROR
        # A response, authoritative, recursion desired and available; then the counts of the four sections.
        header = query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(addresses), 0, 0)
        records = [
            struct.pack("!HHHIH", _POINTER_TO_QUESTION, 1, 1, 30, 4) + socket.inet_aton(address)
            for address in addresses
        ]
        return header + query[12:end] + b"".join(records)
