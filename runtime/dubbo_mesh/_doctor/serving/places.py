"""Where a provider can be called past the sidecar, to compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..._addressing.environment import Environment
from ..._contract.validation import check_host_port
from ..addressing.dialling import Dialled
from ..budget import Budget
from ..envoy.configuration.snapshot import Snapshot
from ..envoy.forwarding.clusters import cluster_of
from ..finding import Finding
from ..sidecar.passage import entrance_of, virtual_host_at
from ..sidecar.upstream import destinations_of
from .address import Endpoint, addresses_of
from .circumstances import Circumstances
from .own import Targets, named
from .trial import Trial


@dataclass(frozen=True, slots=True)
class Place:
    """Where a provider can be called.

    Attributes:
        endpoint: its address.
        own: whether it is this application's own server.
    """

    endpoint: Endpoint
    own: bool

    def __str__(self) -> str:
        return f"{'the server itself' if self.own else 'a host of its cluster'}, {self.endpoint}"


def past_the_sidecar(trial: Trial, circumstances: Circumstances) -> Place | None:
    """Where an rpc can be called past the sidecar; None if nowhere.

    This application's own server is on this host. Other providers can be reached only if the sidecar does
    not intercept connections.
    """
    server, environment = circumstances.examination.server, circumstances.environment
    snapshot, budget = circumstances.snapshot, circumstances.budget
    if server is not None:
        for endpoint in _of_server(trial, server, environment, circumstances.targets):
            if _accepts(endpoint, budget):
                return Place(endpoint, own=True)
    if snapshot is not None and environment.egress is not None and trial.dialled is not None:
        for endpoint in _of_cluster(trial, trial.dialled, environment, snapshot):
            if _accepts(endpoint, budget):
                return Place(endpoint, own=False)
    return None


def _of_server(trial: Trial, server: str, environment: Environment, targets: Targets) -> Iterator[Endpoint]:
    services = named(targets, environment)
    if trial.service not in services.own and not services.is_guess:
        return
    try:
        addresses = addresses_of(server, environment, services.own)
    except ValueError:
        return
    for address in addresses:
        yield from address.reachable


def _of_cluster(
    trial: Trial, dialled: Dialled, environment: Environment, snapshot: Snapshot
) -> Iterator[Endpoint]:
    """The healthy hosts of the first cluster that calls of the service may go to."""
    name = trial.service.name
    entrance = entrance_of(snapshot, dialled.connection, environment.forwarded_for, name)
    if isinstance(entrance, Finding):
        return
    virtual_host = virtual_host_at(snapshot, entrance, dialled)
    if isinstance(virtual_host, Finding):
        return
    for destination in destinations_of(virtual_host):
        cluster = cluster_of(snapshot, destination.cluster, destination.priority)
        for host in (cluster.hosts or ())[:3] if cluster is not None else ():
            try:
                address, _, port = check_host_port("", host.address).rpartition(":")
            except ValueError:  # a Unix socket, or the like
                continue
            if host.healthy:
                yield Endpoint(address.strip("[]"), int(port))


def _accepts(endpoint: Endpoint, budget: Budget) -> bool:
    try:
        endpoint.connect(budget.left(0.5)).close()
    except OSError:
        return False
    return True
