"""Frames of HTTP/2 (RFC 9113, 4.1)."""

from __future__ import annotations

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (3.4). A SETTINGS frame follows."""

SETTINGS, PING, GOAWAY = 4, 6, 7

HEAD = 9
"""Bytes of a frame before its payload."""


def frame(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """A frame of stream 0, which is the connection's."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags, 0, 0, 0, 0)) + payload
