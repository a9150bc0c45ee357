"""What Envoy makes of an `:authority` before it looks for a virtual host."""

from __future__ import annotations

import re

from ..values import flag
from .listeners import Manager


def normalised(manager: Manager, authority: str, port: int) -> str:
    """The `:authority` as a connection manager passes it on.

    Args:
        manager: the connection manager.
        authority: as it is sent.
        port: the port that the connection was opened to.
    """
    message = manager.message
    if flag(message, "strip_trailing_host_dot"):
        authority = _without_dot(authority)
    if flag(message, "strip_any_host_port"):
        return _without_number(authority, None)
    return _without_number(authority, port) if flag(message, "strip_matching_host_port") else authority


def without_port(authority: str) -> str:
    """The part before the last colon, unless that is part of an address of IPv6 in brackets."""
    host, colon, port = authority.rpartition(":")
    return host if colon and "]" not in port else authority


def _without_number(authority: str, wanted: int | None) -> str:
    host = without_port(authority)
    port = authority[len(host) + 1 :]
    if host == authority or not re.fullmatch(r"[0-9]{1,10}", port):
        return authority
    return host if wanted is None or int(port) == wanted else authority


def _without_dot(authority: str) -> str:
    head, dot, tail = authority.rpartition(".")
    return head + tail if dot and (not tail or tail.startswith(":")) else authority
