"""Applications with one fault each that Istio's configuration can have, and the same ones without it.

`routing_faults` and `upstream_faults` have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from dubbo_mesh._doctor.finding import Finding
from tests.istio import resources
from tests.istio.cluster import Manifest
from tests.istio.many_apps import Called

GREETER = "/greeter.v1.Greeter/"
OFF: Mapping[str, Any] = {"retries": {"attempts": 0}}
"""Instead of Istio's own retries, which are a fault."""

Build = Callable[[str, int], Sequence[Manifest]]
"""Builds resources, from an application's name and the port of its Service."""


def exact(rpc: str) -> dict[str, Any]:
    """Matches one rpc."""
    return {"match": [{"uri": {"exact": GREETER + rpc}}]}


def prefix(path: str) -> dict[str, Any]:
    """Matches paths with this prefix."""
    return {"match": [{"uri": {"prefix": path}}]}


def as_configured() -> list[dict[str, Any]]:
    """The routes that the proto asks for, and no retries by Istio itself."""
    return [{**exact("look"), "retries": {"attempts": 2, "retryOn": "unavailable"}}, {**OFF}]


def service(app: str, port: int) -> list[Manifest]:
    """A Service as it should be."""
    return [resources.service(app, port), resources.virtual_service(app, *as_configured())]


def without_retries(app: str, port: int) -> list[Manifest]:
    """A Service whose routes retry nothing, so that only stubs ask for retries."""
    return [resources.service(app, port), resources.virtual_service(app, OFF)]


def bad(findings: Iterable[Finding]) -> set[str]:
    """The ids of errors and warnings."""
    return {each.id for each in findings if each.id and each.severity in ("error", "warning")}


def unavailable(details: str = "") -> Callable[[Called], bool]:
    """Whether a call failed before it reached a handler, with UNAVAILABLE."""
    return lambda called: (
        called.code is grpc.StatusCode.UNAVAILABLE and not called.runs and details in called.details
    )


def unimplemented(called: Called) -> bool:
    """Whether no route matched."""
    return called.code is grpc.StatusCode.UNIMPLEMENTED and not called.runs


def unserved(called: Called) -> bool:
    """Whether no handler ran."""
    return not called.runs


@dataclass(frozen=True)
class Fault:
    """A fault of an application's configuration.

    The application is built twice, with the fault and without. All else is equal.

    Attributes:
        id: What the doctor calls it.
        app: The name of the application.
        wrong: Builds the resources with the fault.
        shows: Whether what became of a call shows the fault.
        right: Builds the resources without it.
        seen: What the finding says, among other things; `{app}` stands for the application.
        rpc: Which rpc has the fault.
        call: Arguments for `ManyApps.call`.
        unasked: Whether stubs ask for nothing (policy=routes).
    """

    id: str
    app: str
    wrong: Build
    shows: Callable[[Called], bool]
    right: Build = service
    seen: str = ""
    rpc: str = "hello"
    call: Mapping[str, Any] = field(default_factory=dict[str, Any])
    unasked: bool = False

    @property
    def mended(self) -> str:
        """The name of the application without the fault."""
        return f"{self.app}-mended"

    def manifests(self, port: int) -> list[Manifest]:
        """The resources of both applications."""
        return [*self.wrong(self.app, port), *self.right(self.mended, port)]
