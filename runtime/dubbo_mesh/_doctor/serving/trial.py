"""Which rpcs are called on trial, and whether they may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from ..._contract.service import Method, Service
from ..addressing.descriptors import is_idempotent, rpc_of
from ..addressing.dialling import Dialled
from ..finding import Finding, problem
from .own import Targets


@dataclass(frozen=True, slots=True)
class Trial:
    """An rpc to call.

    Attributes:
        name: `package.Service/rpc`.
        dialled: how its service is dialled; None if it is this application's own, which is not dialled.
        service: its service.
        method: the rpc.
        repeatable: whether it may be called several times: it is marked as idempotent.
    """

    name: str
    dialled: Dialled | None
    service: Service
    method: Method
    repeatable: bool

    @property
    def streaming(self) -> bool:
        """Whether requests or responses are streams."""
        return self.method.client_streaming or self.method.server_streaming


def trials(calls: Iterable[str], targets: Targets, *, anyway: bool) -> Iterator[Trial | Finding]:
    """The rpcs that the command line names, or why they are not called.

    Args:
        calls: `package.Service/rpc` each.
        targets: what the command line names beside these.
        anyway: whether rpcs are called that are not marked as idempotent.
    """
    services: dict[str, tuple[Service, Dialled | None]] = {each.name: (each, None) for each in targets.own}
    for each in targets.called:
        if each.subject.service is not None:
            services.setdefault(each.subject.service.name, (each.subject.service, each))
    for given in dict.fromkeys(calls):
        name, slash, rpc = given.removeprefix("/").partition("/")
        if not slash or name not in services:
            yield _unknown_service(given, name, services)
            continue
        service, dialled = services[name]
        method = service.methods.get(rpc)
        if method is None:
            hint = _hint(rpc, service.methods)
            yield problem("DM456", f"{given}: {name} has no rpc {rpc}{hint}", subject=name)
            continue
        described = rpc_of(service, method)
        repeatable = described is not None and is_idempotent(described)
        if repeatable or anyway:
            yield Trial(f"{name}/{rpc}", dialled, service, method, repeatable)
        else:
            why = f"{name}/{rpc}: not called: it is not marked as idempotent"
            remedy = (
                "set option idempotency_level = IDEMPOTENT or NO_SIDE_EFFECTS in the proto if that is true, "
                "or add --call-anyway: it is then called once"
            )
            yield Finding("call", "skipped", why, remedy, subject=f"{name}/{rpc}")


def _unknown_service(given: str, name: str, services: Iterable[str]) -> Finding:
    known = list(services)
    if not known:
        return problem("DM456", f"{given}: no target has a service")
    return problem("DM456", f"{given}: no target has the service {name}{_hint(name, known)}")


def _hint(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 1, 0.6)
    return f": did you mean {close[0]}?" if close else ""
