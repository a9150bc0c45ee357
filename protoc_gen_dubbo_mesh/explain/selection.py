"""Selects services and rpcs by the names that people give."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from ..errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..policy.model import RpcPolicy, ServicePolicy


def select(services: Sequence[ServicePolicy], name: str) -> tuple[ServicePolicy, ...]:
    """The service with that name, with all of its rpcs or only the one with that name.

    Args:
        services: all services.
        name: `SERVICE`, `SERVICE/RPC` or `SERVICE.RPC`, perhaps after a slash. The package of the service, or
            its first parts, may be left out if no other service has the same name.

    Raises:
        GenerationError: there is no such service or rpc, or there are several.
    """
    given = name.removeprefix("/")
    service, slash, rpc = given.partition("/")
    if not slash and not _named(services, service):
        before, dot, after = given.rpartition(".")
        if dot and _named(services, before):
            service, rpc = before, after
    found = _named(services, service)
    if not found:
        names = [each.name for each in services]
        short = {each.rpartition(".")[2]: each for each in names}
        raise GenerationError(f"there is no service {service!r}{_hint(service, [*names, *short])}")
    if len(found) > 1:
        names = [each.name for each in found]
        raise GenerationError(f"service {service!r} is ambiguous: {', '.join(names[:-1])} or {names[-1]}")
    if not rpc and not slash:
        return (found[0],)
    return (found[0]._replace(rpcs=(_rpc(found[0], rpc),)),)


def _named(services: Iterable[ServicePolicy], name: str) -> list[ServicePolicy]:
    """The service with that full name, or else those whose names end with it."""
    exact = [each for each in services if each.name == name]
    return exact or [each for each in services if name and each.name.endswith(f".{name}")]


def _rpc(service: ServicePolicy, name: str) -> RpcPolicy:
    for rpc in service.rpcs:
        if name == rpc.name or name in rpc.aliases:
            return rpc
    hint = _hint(name, [rpc.name for rpc in service.rpcs])
    raise GenerationError(f"service {service.name} has no rpc {name!r}{hint}")


def _hint(name: str, names: Sequence[str]) -> str:
    lowered = {each.lower(): each for each in names}
    close = [lowered[each] for each in get_close_matches(name.lower(), lowered)]
    return f"; did you mean {' or '.join(close)}?" if close else ""
