"""Whether an address can be resolved, and whether gRPC is spoken there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ..._addressing.dialing import Dial
from ..._addressing.environment import Environment
from ..budget import Budget
from ..finding import Finding, problem
from .addresses import host_and_port, is_ip
from .connecting import Met, Peer, connect
from .names import check_name
from .resolv_conf import ResolvConf

_MOST_ADDRESSES = 4  # that are tried, of those that a name has
_AT_MOST = 4.0  # seconds, for all of them

_PEERS = {
    Peer.CLOSES: "DM119",
    Peer.SILENT: "DM120",
    Peer.OTHER: "DM120",
    Peer.TLS: "DM121",
}


class Reached(NamedTuple):
    """What became of an attempt to reach an address.

    Attributes:
        findings: what to report.
        ok: whether calls can be made there.
        host: the address that was connected to; None if there was no connection.
        source: the address that the connection came from.
    """

    findings: Sequence[Finding]
    ok: bool
    host: str | None = None
    source: str | None = None


class Reaching:
    """Tries addresses.

    Args:
        environment: the mode and its addresses.
        budget: the time for all checks.
        resolver: the configuration of name resolution.
    """

    def __init__(self, environment: Environment, budget: Budget, resolver: ResolvConf) -> None:
        self._environment = environment
        self._budget = budget
        self._resolver = resolver

    def reach(self, way: Dial, name: str) -> Reached:
        """Resolves an address and connects to it.

        Args:
            way: how `name` is dialled, in clear text.
            name: what is called.
        """
        host, port = host_and_port(way.address)
        findings: list[Finding] = []
        addresses: Sequence[str] = [host]
        if not is_ip(host):
            finding, addresses = check_name(host, name, self._budget, self._resolver)
            if finding.id == "DM106" and self._environment.egress == way.address:
                finding = replace(finding, remedy="correct the name in DUBBO_MESH_EGRESS")
            findings.append(finding)
        if not addresses:
            return Reached(findings, ok=False)
        error: OSError | None = None
        part = self._budget.part(_AT_MOST)
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                met = connect(address, port, part.left)
            except OSError as failed:
                error = failed
                continue
            findings.append(self._judged(met, way, name))
            return Reached(findings, met.peer is Peer.HTTP2, met.host, met.source)
        assert error is not None
        findings.append(self._failed(error, way, name, addresses))
        return Reached(findings, ok=False)

    def _judged(self, met: Met, way: Dial, name: str) -> Finding:
        at = way.address if is_ip(host_and_port(way.address)[0]) else f"{way.address} ({met.host})"
        if met.peer is Peer.HTTP2:
            return Finding("reachable", "ok", f"{name}: {at} {met.peer.value}", subject=name)
        said = f": it says “{met.said}”" if met.said else ""
        seen = f"{name}: what listens at {at} {met.peer.value}{said}"
        remedy = (
            "does it still run, or hang? And is it the port for gRPC?" if met.peer is Peer.SILENT else None
        )
        return problem(_PEERS[met.peer], seen, remedy=remedy, subject=name)

    def _failed(self, error: OSError, way: Dial, name: str, addresses: Sequence[str]) -> Finding:
        at = way.address
        if not is_ip(host_and_port(at)[0]):
            at = f"{at} ({', '.join(addresses[:_MOST_ADDRESSES])})"
        seen = f"{name}: {at}: {error.strerror or error}"
        if not isinstance(error, ConnectionRefusedError):
            return problem("DM118", seen, subject=name)
        remedy = None
        if way.way == "direct":
            remedy = "is the provider up? Its address is from DUBBO_MESH_DIRECT"
        elif self._environment.egress is not None:
            remedy = "is the sidecar up? The address of its egress listener is from DUBBO_MESH_EGRESS"
        return problem("DM107", seen, remedy=remedy, subject=name)
