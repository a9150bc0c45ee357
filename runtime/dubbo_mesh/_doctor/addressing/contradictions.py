"""Variables that have no effect, or contradict each other."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

from ..._addressing.environment import Environment
from ..finding import Finding, problem


def check_contradictions(environment: Environment, *, offline: bool) -> Iterator[Finding]:
    """Reports well-formed variables that do not do what they were set for.

    Args:
        environment: the variables.
        offline: whether they are those of another host.
    """
    mode = environment.mode
    if environment.direct and not environment.uses_direct:
        yield problem("DM103", f"DUBBO_MESH_DIRECT is not used: DUBBO_MESH_MODE is {mode}")
    if mode == "direct":
        yield problem("DM108", "DUBBO_MESH_MODE is direct: calls go past the mesh")
    if mode != "sidecar":
        if environment.fallback is not None:
            yield problem("DM109", f"DUBBO_MESH_FALLBACK has no effect: DUBBO_MESH_MODE is {mode}")
        unused = [
            name
            for name, value in (
                ("DUBBO_MESH_EGRESS", environment.egress),
                ("DUBBO_MESH_FORWARDED_FOR", environment.forwarded_for),
            )
            if value is not None
        ]
        if unused:
            yield problem("DM110", f"{' and '.join(unused)}: not used in mode {mode}")
    elif environment.egress is not None and environment.admin is None:
        seen = f"DUBBO_MESH_EGRESS is {environment.egress}, and DUBBO_MESH_ADMIN is off"
        yield problem("DM111", seen)
    if environment.fallback is None and os.environ.get("DUBBO_MESH_FALLBACK_AFTER"):
        yield problem("DM110", "DUBBO_MESH_FALLBACK_AFTER: not used without DUBBO_MESH_FALLBACK")
    if mode == "sidecar" and environment.forwarded_for is not None:
        yield from _check_forwarded_for(environment.forwarded_for, offline=offline)


def _check_forwarded_for(address: str, *, offline: bool) -> Iterator[Finding]:
    own = os.environ.get("POD_IP")
    if address == own or (offline and own is None) or _is_local(address):
        return
    seen = f"DUBBO_MESH_FORWARDED_FOR is {address}, which is no address of this host"
    yield problem("DM112", f"{seen}; POD_IP is {own}" if own else seen)


def _is_local(address: str) -> bool:
    """Whether this host has an address. Only tries to bind it; yes if that cannot be told."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as tried:
            tried.bind((address, 0))
    except OSError as error:
        import errno

        return error.errno != errno.EADDRNOTAVAIL
    return True
