"""Checks whether Dubbo Java's consumers without a generated stub can call a service."""

from __future__ import annotations

from collections.abc import Iterator

from .._contract.service import Service
from .finding import Finding


def check_aliases(service: Service) -> Iterator[Finding]:
    """Reports rpcs that are not served under their lower-first name.

    Dubbo Java's consumers that have no generated stub call `sayHello` for an rpc `SayHello`
    (apache/dubbo#9739).
    """
    missing: list[str] = []
    for method in service.methods.values():
        lower_first = method.name[:1].lower() + method.name[1:]
        if lower_first != method.name and lower_first not in method.aliases:
            missing.append(lower_first)
    if missing:
        finding = f"{service.name} does not answer to {', '.join(missing)}"
        remedy = (
            "only if Dubbo Java consumers without a generated stub are to call it: generate it with "
            'aliases = ["lower-first"], and have authorization policies name those paths too'
        )
        yield Finding("aliases", "ok", finding, remedy)
