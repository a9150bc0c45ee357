"""`dubbo-mesh doctor`: checks the mesh as generated code would find it from this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._addressing.environment import Environment
from .._contract.service import Service
from .addressing.addresses import host_and_port
from .addressing.dialling import Dialled, presumed_source, source_of
from .addressing.environment import Reading, check_environment, read_environment
from .addressing.targets import check_targets
from .budget import Budget
from .envoy.listeners import Listener
from .envoy.snapshot import Snapshot
from .examination import Examination
from .finding import Finding
from .policy.asked import Asked, any_rpc, asked
from .policy.headers import check_header_filters, check_headers
from .policy.past_sidecar import check_past_sidecar
from .policy.rpcs import check_any_rpc, check_rpc
from .safety import bounded, safely
from .serving.aliases import check_aliases
from .serving.calls import check_calls
from .serving.own import Targets
from .serving.server import check_server
from .sidecar.leaving import check_leaving
from .sidecar.passage import all_entrances, connection_of, entrance_of, virtual_host_at
from .sidecar.reading import check_sidecar
from .sidecar.upstream import Destination, check_destination, destinations_of


def examine(examination: Examination) -> Iterator[Finding]:
    """Runs all checks, and yields what each of them finds. Raises nothing, whatever there is to read."""
    yield from map(bounded, safely("doctor", _examine, examination))


def _examine(examination: Examination) -> Iterator[Finding]:
    budget = Budget(examination.timeout)
    reading = read_environment()
    environment = reading.environment
    offline = bool(examination.config_dumps)
    yield from safely("environment", check_environment, reading, offline=offline)
    called: list[Dialled] = []
    own: list[Service] = []
    served = examination.server is not None
    for found in safely(
        "dial", check_targets, examination.targets, reading, budget, served=served, offline=offline
    ):
        if isinstance(found, Finding):
            yield found
            continue
        if isinstance(found, Dialled):
            called.append(found)
            service = found.subject.service
        else:
            service = found.service
            own += [service] if service is not None else []
        if service is not None and environment.app in (None, service.app):  # else it is its provider's matter
            yield from safely("aliases", check_aliases, service)
    snapshot: Snapshot | None = None
    for read in _sidecar(reading, examination, budget):
        if isinstance(read, Snapshot):
            snapshot = read
            yield from safely("headers", _check_calls, read, called, environment, examination, budget)
        else:
            yield read
    for each in called:
        yield from safely("rpc", check_past_sidecar, each, environment, examination.headers)
    targets = Targets(own, called)
    yield from safely("health", check_server, examination, environment, targets, snapshot, budget)
    yield from safely("call", check_calls, examination, environment, targets, snapshot, budget)


def _sidecar(reading: Reading, examination: Examination, budget: Budget) -> Iterator[Finding | Snapshot]:
    hidden = reading.hides_sidecar
    if hidden is not None and not examination.config_dumps:
        yield Finding("admin", "skipped", f"not asked while {hidden} is malformed")
        return
    yield from safely("admin", check_sidecar, reading.environment, budget, examination.config_dumps)


def _check_calls(
    snapshot: Snapshot,
    called: Sequence[Dialled],
    environment: Environment,
    examination: Examination,
    budget: Budget,
) -> Iterator[Finding]:
    """Follows calls through the sidecar; without any, looks at where they would enter it."""
    if environment.mode != "sidecar":
        yield Finding("headers", "skipped", f"calls go past the sidecar: the mode is {environment.mode}")
        return
    entered: list[Listener] = []
    for each in called:
        for found in safely("route", _check_call, snapshot, each, environment, examination, budget):
            if isinstance(found, Listener):
                entered.append(found)
            else:
                yield found
    if not called:
        port = source = None
        if environment.egress is not None:
            host, port = host_and_port(environment.egress)
            if not examination.config_dumps:
                source = source_of(host, port)
        if examination.config_dumps:
            source = presumed_source(environment)
        for entrance in all_entrances(snapshot, port, source, environment.forwarded_for):
            entered.append(entrance.listener)
            yield check_headers(entrance)
            yield from check_header_filters(entrance)
    yield from safely("draining", check_leaving, snapshot, entered)


def _check_call(
    snapshot: Snapshot,
    dialled: Dialled,
    environment: Environment,
    examination: Examination,
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
        yield check_headers(entrance, name)
        yield from check_header_filters(entrance, name)
    virtual_host = virtual_host_at(snapshot, entrance, dialled)
    if isinstance(virtual_host, Finding):
        yield virtual_host
        return
    if service is None:
        unknown = any_rpc(dialled, environment, headers)
        yield from safely("rpc", check_any_rpc, snapshot, entrance, virtual_host, unknown)
    destinations: dict[Destination, None] = {}  # in order
    for each in rpcs:
        for found in safely("rpc", check_rpc, snapshot, entrance, virtual_host, each):
            if isinstance(found, Destination):
                destinations[found] = None
            else:
                yield found
    for destination in destinations if rpcs else dict.fromkeys(destinations_of(virtual_host)):
        yield from safely(
            "upstream",
            check_destination,
            snapshot,
            destination,
            name,
            intercepted=dialled.connection.intercepted,
            budget=None if examination.config_dumps else budget,
        )
