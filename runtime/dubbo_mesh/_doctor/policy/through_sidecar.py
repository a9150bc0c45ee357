"""Calls through the sidecar: where they enter it, what it does with each rpc, and where it sends them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..._addressing.environment import Environment
from ..addressing.addresses import host_and_port
from ..addressing.dialling import Dialled, presumed_source, source_of
from ..budget import Budget
from ..envoy.configuration.snapshot import Snapshot
from ..envoy.entering.listeners import Listener
from ..examination import Examination
from ..finding import Finding
from ..safety import safely
from ..sidecar.leaving import check_leaving
from ..sidecar.passage import Entrance, all_entrances, connection_of, entrance_of, virtual_host_at
from ..sidecar.upstream import Destination, check_destination, destinations_of
from .asked import Asked, any_rpc, asked
from .headers import check_headers
from .rpcs import check_any_rpc, check_rpc


def check_through_sidecar(
    called: Sequence[Dialled],
    examination: Examination,
    environment: Environment,
    snapshot: Snapshot,
    budget: Budget,
) -> Iterator[Finding]:
    """Follows calls through the sidecar; without any, looks at where they would enter it.

    Args:
        called: what is called.
        examination: what the command line asks for.
        environment: of this process.
        snapshot: the sidecar's configuration.
        budget: the time for all checks.
    """
    if environment.mode != "sidecar":
        yield Finding("headers", "skipped", f"calls go past the sidecar: the mode is {environment.mode}")
        return
    entered: list[Listener] = []
    for each in called:
        for found in safely("route", _check_calls, each, examination, environment, snapshot, budget):
            if isinstance(found, Listener):
                entered.append(found)
            else:
                yield found
    if not called:
        for entrance in _possible_entrances(examination, environment, snapshot):
            entered.append(entrance.listener)
            yield from check_headers(entrance)
    yield from safely("draining", check_leaving, snapshot, entered)


def _possible_entrances(
    examination: Examination, environment: Environment, snapshot: Snapshot
) -> Iterable[Entrance]:
    port = source = None
    if environment.egress is not None:
        host, port = host_and_port(environment.egress)
        source = source_of(host, port)
    if examination.offline:
        source = presumed_source(environment)
    return all_entrances(snapshot, port, source, environment.forwarded_for)


def _check_calls(
    dialled: Dialled,
    examination: Examination,
    environment: Environment,
    snapshot: Snapshot,
    budget: Budget,
) -> Iterator[Finding | Listener]:
    """Follows the calls of a subject; yields the listener that they enter as well."""
    headers = examination.headers
    forwarded_for = environment.forwarded_for if dialled.dial.way == "sidecar" else None
    # What a call is given takes the place of it; of several values, grpc sends the last.
    forwarded_for = dict(headers).get("x-forwarded-for", forwarded_for)
    service, name = dialled.subject.service, dialled.subject.name
    entrance = entrance_of(snapshot, connection_of(snapshot, dialled), forwarded_for, name)
    if isinstance(entrance, Finding):
        yield entrance
        return
    yield entrance.listener
    rpcs: list[Asked] = []
    if service is not None:
        rpcs = [asked(dialled, method, environment, headers) for method in service.methods.values()]
    if rpcs and not any(each.asks for each in rpcs):
        why = "stubs send none: their timeouts and retries are the routes'"
        yield Finding("headers", "skipped", why, subject=name)
    else:
        yield from check_headers(entrance, name)
    virtual_host = virtual_host_at(snapshot, entrance, dialled)
    if isinstance(virtual_host, Finding):
        yield virtual_host
        return
    destinations: dict[Destination, None] = {}  # in order
    for each in rpcs:
        for found in safely("rpc", check_rpc, snapshot, entrance, virtual_host, each):
            if isinstance(found, Destination):
                destinations[found] = None
            else:
                yield found
    if service is None:
        unknown = any_rpc(dialled, environment, headers)
        yield from safely("rpc", check_any_rpc, snapshot, entrance, virtual_host, unknown)
    if not rpcs:
        destinations = dict.fromkeys(destinations_of(virtual_host))
    for destination in destinations:
        yield from safely(
            "upstream",
            check_destination,
            snapshot,
            destination,
            name,
            intercepted=dialled.connection.intercepted,
            budget=budget if dialled.connection.stays_here and not examination.offline else None,
        )
