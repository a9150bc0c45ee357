"""Which of the services that the command line names are this application's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..._addressing.environment import Environment
from ..._contract.service import Service
from ..addressing.dialling import Dialled
from .address import Address


@dataclass(frozen=True, slots=True)
class Targets:
    """What the command line names.

    Attributes:
        own: the services of this application, which are not called.
        called: what is called.
    """

    own: Sequence[Service]
    called: Sequence[Dialled]

    @property
    def services(self) -> Sequence[Service]:
        """All services, whoever provides them."""
        called = (each.subject.service for each in self.called)
        return (*self.own, *(each for each in called if each is not None))


@dataclass(frozen=True, slots=True)
class Named:
    """The services that the command line names.

    Attributes:
        own: those of this application, which its server has to serve.
        others: those that are others', or of which that is not known.
        is_guess: whether this process does not know its own name (`DUBBO_MESH_APP`).
    """

    own: Sequence[Service]
    others: Sequence[Service]
    is_guess: bool


def named(targets: Targets, environment: Environment, addresses: Iterable[Address] = ()) -> Named:
    """Sorts the services.

    Args:
        targets: what the command line names.
        environment: of this process.
        addresses: of the server. A service whose calls go there is this application's.
    """
    endpoints = {str(endpoint) for address in addresses for endpoint in address.reachable}
    own = {service.key: service for service in targets.own}
    others: dict[str, Service] = {}
    for each in targets.called:
        service = each.subject.service
        if service is None:
            continue
        if each.dial.way == "direct" and each.dial.address in endpoints:
            own[service.key] = service
        else:
            others[service.key] = service
    return Named(
        tuple(own.values()), tuple(others[key] for key in others if key not in own), environment.app is None
    )
