"""Faults of DestinationRules, ports and pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.istio import resources
from tests.istio.cluster import Manifest
from tests.istio.faults import OFF, Fault, unavailable

UPSTREAM = [
    Fault(
        "DM209",
        "no-such-subset",
        lambda app, port: [resources.service(app, port), *_subset(app, None)],
        unavailable(),
        lambda app, port: [resources.service(app, port), *_subset(app, {"version": "v1"})],
        seen="|some|{app}.default.svc.cluster.local, which does not exist; no DestinationRule counts",
    ),
    # The rule of the caller's namespace takes the place of the one with the subset.
    Fault(
        "DM209",
        "overridden",
        lambda app, port: _in_shop(app, port, "default"),
        unavailable(),
        lambda app, port: _in_shop(app, port, "elsewhere"),
        seen="|some|{app}.shop.svc.cluster.local, which does not exist; DestinationRule default/{app} counts",
        call={"namespace": "shop"},
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


def _in_shop(app: str, port: int, namespace: str) -> list[Manifest]:
    """A Service with a subset in the namespace shop; and, in another namespace, a rule without."""
    host = f"{app}.shop.svc.cluster.local"
    route = {**OFF, "route": [{"destination": {"host": host, "subset": "some"}}]}
    subset = {"name": "some", "labels": {"version": "v1"}}
    return [
        resources.service(app, port, namespace="shop"),
        resources.virtual_service(app, route, namespace="shop"),
        resources.destination_rule(host, subsets=[subset], namespace="shop"),
        resources.destination_rule(host, {"loadBalancer": {"simple": "RANDOM"}}, namespace=namespace),
    ]
