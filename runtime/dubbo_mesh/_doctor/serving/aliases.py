"""Checks whether Dubbo Java's consumers without a generated stub can call a service."""

from __future__ import annotations

from collections.abc import Iterator

from ..._addressing.environment import Environment
from ..._contract.service import Service
from ..finding import Finding, problem
from .own import Targets


def check_aliases(targets: Targets, environment: Environment) -> Iterator[Finding]:
    """Reports rpcs that are not served under their lower-first name.

    Not those of another application, whose matter that is.
    """
    for service in targets.services:
        if environment.app in (None, service.app):
            yield from _check_aliases(service)


def _check_aliases(service: Service) -> Iterator[Finding]:
    missing: list[str] = []
    for method in service.methods.values():
        lower_first = method.name[:1].lower() + method.name[1:]
        if lower_first != method.name and lower_first not in method.aliases:
            missing.append(lower_first)
    if missing:
        seen = f"{service.name} does not answer to {', '.join(missing)}"
        yield problem("DM410", seen, subject=service.name)
