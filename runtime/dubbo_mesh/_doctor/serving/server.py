"""Checks this application's own servers."""

from __future__ import annotations

from collections.abc import Iterator

from ..._addressing.environment import Environment
from ..addressing.connecting import Met, Peer, meet
from ..budget import Budget
from ..finding import Finding, problem
from ..safety import safely
from .address import Address, Endpoint, addresses_of
from .asking import open_channel
from .circumstances import Circumstances
from .grace import check_grace
from .health import ask_health, check_health, check_served
from .inbound import check_inbound
from .keepalive import check_keepalive
from .own import Named, named
from .pod import why_hidden
from .probes import check_probes
from .reflection import check_reflection


def check_server(circumstances: Circumstances) -> Iterator[Finding]:
    """Asks the servers whatever others ask them, and the probes."""
    examination, environment = circumstances.examination, circumstances.environment
    period = examination.termination_grace_period
    if examination.server is None:
        yield Finding("health", "skipped", "no --server was named")
        if period is not None:
            yield from safely("grace", check_grace, period, environment, circumstances.snapshot)
        return
    try:
        addresses = addresses_of(
            examination.server, environment, named(circumstances.targets, environment).own
        )
    except ValueError as error:
        yield problem("DM406", str(error))
        return
    services = named(circumstances.targets, environment, addresses)
    for address in addresses:
        yield from safely("health", _check_address, address, services, circumstances)
    yield from safely("probes", check_probes, environment, circumstances.budget)
    yield from safely("grace", check_grace, period, environment, circumstances.snapshot)


def _check_address(address: Address, services: Named, circumstances: Circumstances) -> Iterator[Finding]:
    environment, snapshot, budget = circumstances.environment, circumstances.snapshot, circumstances.budget
    server = address.given
    try:
        endpoint, met = address.first(lambda endpoint: _meet(endpoint, budget))
    except OSError as error:
        budget.left()
        yield problem("DM401", f"{server}: {error.strerror or error}", subject=server)
        return
    hidden = why_hidden(address, endpoint, budget, listened_on=server in environment.listen)
    if hidden is not None:
        yield problem("DM418", f"{server}: {hidden}", subject=server)
    if met.peer is not Peer.HTTP2:
        yield _not_grpc(server, met, environment)
        return
    with open_channel(endpoint) as channel:
        health = ask_health(channel, (*services.own, *services.others), budget)
        yield from check_health(server, health, (*services.own, *services.others))
        yield from check_served(server, health, services, channel, budget)
        yield from check_reflection(server, channel, services, budget)
    yield from check_keepalive(server, endpoint, snapshot, budget)
    if snapshot is not None and endpoint.port and "clusters" in snapshot.kinds:
        yield from check_inbound(server, endpoint, environment.egress, snapshot)


def _meet(endpoint: Endpoint, budget: Budget) -> Met:
    """What a server is.

    Raises:
        OSError: nothing accepts connections.
    """
    with endpoint.connect(budget.left(2.0)) as opened:
        return meet(opened, endpoint.connect, budget.left)


def _not_grpc(server: str, met: Met, environment: Environment) -> Finding:
    if met.peer is Peer.SILENT:
        return problem("DM407", f"{server}: {met.peer.value}", subject=server)
    if met.peer is not Peer.TLS:
        said = f": {met.said!r}" if met.said else ""
        return problem("DM409", f"{server}: {met.peer.value}{said}", subject=server)
    if environment.mode == "sidecar":
        return problem("DM408", f"{server}: {met.peer.value}", subject=server)
    why = f"{server}: {met.peer.value}, and is asked in clear text only; so do Kubernetes' grpc probes"
    return Finding("health", "skipped", why, subject=server)
