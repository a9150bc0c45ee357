"""Which requests to a host a rule is for, as a predicate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..verdicts import Remark, Verdict
from . import predicates
from .steps import Predicate

if TYPE_CHECKING:
    from ..directory import Host
    from ..stages import Scope


def predicate(scope: Scope, host: Host) -> Predicate:
    """The requests to a host that a rule of this scope is for."""
    is_provider = scope.application == host.name and not scope.is_consumer
    headers = [
        (name, predicates.exactly(value))
        for name, value in (
            ("tri-service-group", scope.group),
            ("tri-service-version", scope.version),
            ("tri-consumer-appname", None if is_provider else scope.application),
        )
        if value is not None
    ]
    return Predicate(service=scope.service, headers=tuple(sorted(headers)))


def unknown_provider(scope: Scope) -> Remark:
    """What is said of a rule for a service that no known application provides."""
    return Remark(
        Verdict.CANNOT,
        scope.where,
        f"key: {scope.key}",
        f"it is not known which application provides {scope.service}",
        f"give --protos, --world or --app {scope.service}=APPLICATION",
    )
