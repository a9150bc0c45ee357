"""Applications with one fault each that Istio's configuration can have, and the same ones without it.

Each is built twice: `{name}` is faulty, `{name}-mended` is not. All else about them is equal.
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


def service(app: str, port: int) -> list[Manifest]:
    """A Service as it should be, and no retries by Istio itself."""
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


@dataclass(frozen=True)
class Fault:
    """A fault of an application's configuration.

    Attributes:
        id: What the doctor calls it.
        app: The name of the application.
        wrong: Builds the resources with the fault.
        shows: Whether what became of a call shows the fault.
        right: Builds the resources without it.
        seen: What the finding says, among other things; `{app}` stands for the application.
        rpc: Which rpc has the fault.
        call: Arguments for `ManyApps.call`.
    """

    id: str
    app: str
    wrong: Build
    shows: Callable[[Called], bool]
    right: Build = service
    seen: str = ""
    rpc: str = "hello"
    call: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def mended(self) -> str:
        """The name of the application without the fault."""
        return f"{self.app}-mended"

    def manifests(self, port: int) -> list[Manifest]:
        """The resources of both applications."""
        return [*self.wrong(self.app, port), *self.right(self.mended, port)]


def _subset(app: str, labels: Mapping[str, str] | None) -> list[Manifest]:
    destination = {"destination": {"host": app, "subset": "some"}}
    found = [resources.virtual_service(app, {**OFF, "route": [destination]})]
    if labels is not None:
        subset = {"name": "some", "labels": labels}
        found.append(resources.destination_rule(app, subsets=[subset]))
    return found


def _pool(app: str, port: int, **http: Any) -> list[Manifest]:
    service = resources.service(app, port, port_name="http")
    rule = resources.destination_rule(app, {"connectionPool": {"http": http}})
    return [service, resources.virtual_service(app, OFF), rule]


FAULTS = [
    Fault(
        "DM207",
        "no-catch-all",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {**exact("look"), **OFF}),
        ],
        unimplemented,
        seen="no route of virtual host {app}.default.svc.cluster.local",
    ),
    Fault(
        "DM208",
        "answers-itself",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {**exact("hello"), "directResponse": {"status": 503}}, OFF),
        ],
        unavailable(),
    ),
    Fault(
        "DM209",
        "no-such-subset",
        lambda app, port: [resources.service(app, port), *_subset(app, None)],
        unavailable(),
        lambda app, port: [resources.service(app, port), *_subset(app, {"version": "v1"})],
        seen="|some|{app}.default.svc.cluster.local",
    ),
    Fault(
        "DM210",
        "empty-subset",
        lambda app, port: [resources.service(app, port), *_subset(app, {"version": "v9"})],
        unavailable("no healthy upstream"),
        lambda app, port: [resources.service(app, port), *_subset(app, {"version": "v1"})],
        seen="|some|{app}.default.svc.cluster.local",
    ),
    Fault(
        "DM210",
        "no-pods",
        lambda app, port: [
            resources.service(app, port, selector={"app": "nobody"}),
            resources.virtual_service(app, OFF),
        ],
        unavailable("no healthy upstream"),
        seen="||{app}.default.svc.cluster.local",
    ),
    Fault(
        "DM211",
        "named-http",
        lambda app, port: [
            resources.service(app, port, port_name="http"),
            resources.virtual_service(app, OFF),
        ],
        unavailable("protocol error"),
        seen="||{app}.default.svc.cluster.local",
    ),
    Fault(
        "DM211",
        "not-upgraded",
        lambda app, port: _pool(app, port, h2UpgradePolicy="DO_NOT_UPGRADE"),
        unavailable("protocol error"),
        lambda app, port: _pool(app, port, h2UpgradePolicy="UPGRADE"),
        seen="||{app}.default.svc.cluster.local",
    ),
    # What is opened to the sidecar itself has no address to go to.
    Fault(
        "DM247",
        "headless",
        lambda app, port: [
            resources.service(app, port, cluster_ip="None"),
            resources.virtual_service(app, OFF),
        ],
        unavailable("no healthy upstream"),
        seen="||{app}.default.svc.cluster.local",
    ),
]
