"""Asks the health service of this application's own server, by all the names that others ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError

from ..._contract.service import Service
from ..._health.board import HEALTH, LIVENESS, WHOLE_SERVER
from ..._health.messages import HealthCheckRequest, HealthCheckResponse
from ..budget import Budget
from ..finding import Finding, problem
from .asking import REFUSALS, Reply, ask_all, knows
from .own import Named

_SERVING = "SERVING"
_TROUBLES = {grpc.StatusCode.UNIMPLEMENTED: "DM402", grpc.StatusCode.DEADLINE_EXCEEDED: "DM416"}
_STATUSES = HealthCheckResponse.DESCRIPTOR.enum_types_by_name["ServingStatus"].values_by_number


@dataclass(frozen=True, slots=True)
class Health:
    """What a server says of itself.

    Attributes:
        by_name: the status under each name that was asked for, such as `SERVING`; or, if there was none, how
            the call ended.
    """

    by_name: Mapping[str, str | Reply]

    @property
    def of_dubbo_mesh(self) -> bool:
        """Whether the health service is that of dubbo_mesh, which knows all its services."""
        return isinstance(self.by_name.get(LIVENESS), str)

    def knows(self, service: Service) -> bool:
        """Whether it has a status for a service, under any name."""
        return any(isinstance(self.by_name.get(name), str) for name in names_of(service))


def names_of(service: Service) -> tuple[str, ...]:
    """The names that others ask for: Envoy and Dubbo Java its full name, dubbo-go its service key."""
    return tuple(dict.fromkeys((service.name, service.key)))


def ask_health(channel: grpc.Channel, services: Sequence[Service], budget: Budget) -> Health:
    """Asks for the whole server, liveness, and the services.

    Raises:
        TimeoutError: no time is left.
    """
    names = dict.fromkeys(
        (WHOLE_SERVER, LIVENESS, *(name for service in services for name in names_of(service)))
    )
    requests = [HealthCheckRequest(service=name).SerializeToString() for name in names]
    replies = ask_all(channel, f"/{HEALTH}/Check", requests, budget.left(2.0))
    return Health({name: _status(reply) for name, reply in zip(names, replies, strict=True)})


def _status(reply: Reply) -> str | Reply:
    if reply.message is None:
        return reply
    try:
        status = HealthCheckResponse.FromString(reply.message).status
    except DecodeError:
        return Reply(grpc.StatusCode.INTERNAL, "the answer is not one of a health service", None)
    return _STATUSES[status].name if status in _STATUSES else str(status)


def check_health(server: str, health: Health, services: Sequence[Service]) -> Iterator[Finding]:
    """Judges what a server says of itself.

    Args:
        server: its address, for messages.
        health: what it says.
        services: those that were asked for.
    """
    whole = health.by_name[WHOLE_SERVER]
    if isinstance(whole, Reply) and whole.code is not grpc.StatusCode.NOT_FOUND:
        yield _trouble(server, whole)
        return
    if isinstance(whole, Reply):
        yield problem("DM412", f"{server}: no status for the server as a whole, “”: {whole}", subject=server)
    elif whole == _SERVING:
        yield Finding("health", "ok", f"{server}: {_said(health)}", subject=server)
    else:
        yield problem("DM403", f"{server}: {whole}", subject=server)
    for service in services:
        statuses = {name: health.by_name[name] for name in names_of(service)}
        for name, status in statuses.items():
            if isinstance(status, str) and status != _SERVING and whole in (_SERVING, None):
                yield problem("DM411", f"{server}: {name}: {status}", subject=service.name)
        missing = [name for name, status in statuses.items() if isinstance(status, Reply)]
        if missing and health.knows(service):
            yield problem("DM412", f"{server}: no status for {', '.join(missing)}", subject=service.name)
    if not health.of_dubbo_mesh:
        seen = f"{server}: no status for {LIVENESS}: {health.by_name[LIVENESS]}"
        yield problem("DM417", seen, subject=server)


def _said(health: Health) -> str:
    others = (
        f"{name} {status}" for name, status in health.by_name.items() if name and isinstance(status, str)
    )
    return ", ".join((_SERVING, *others))


def _trouble(server: str, reply: Reply) -> Finding:
    seen = f"{server}: {reply}"
    if "http2 header with status" in reply.details:
        return problem("DM409", f"{server}: HTTP/2, but not gRPC: {reply.details}", subject=server)
    if reply.code in REFUSALS:
        return problem("DM414", seen, subject=server)
    return problem(_TROUBLES.get(reply.code, "DM415"), seen, subject=server)


def check_served(
    server: str, health: Health, named: Named, channel: grpc.Channel, budget: Budget
) -> Iterator[Finding]:
    """Reports services of this application that its server does not serve, or has no status for.

    Args:
        server: its address, for messages.
        health: what it says of itself.
        named: the services that the command line names.
        channel: to the server.
        budget: the time that is left.
    """
    has_health = isinstance(health.by_name[WHOLE_SERVER], str)
    for service in named.own:
        if health.knows(service):
            continue
        served = _is_served(service, channel, budget)
        names = ", ".join(names_of(service))
        if served is False:
            yield problem("DM413", f"{server}: does not serve {service.name}", subject=service.name)
        elif served and has_health:
            seen = f"{server}: serves {service.name}, but has no status for {names}"
            yield problem("DM412", seen, subject=service.name)
    others = [service.name for service in named.others if not health.knows(service)]
    if others and has_health and named.is_guess:
        seen = f"{server}: no status for {', '.join(others)}: taken for other applications' services"
        remedy = "if they are this application's, set DUBBO_MESH_APP to its name"
        yield Finding("health", "skipped", seen, remedy, subject=server)


def _is_served(service: Service, channel: grpc.Channel, budget: Budget) -> bool | None:
    """Whether a server has a handler for a service; None if that cannot be known."""
    for method in service.methods.values():
        if not method.client_streaming:  # the handler of a stream would run
            return knows(channel, method.path, budget.left(0.5))
    return None
