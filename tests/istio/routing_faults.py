"""Faults of Services, VirtualServices and GRPCRoutes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc

from tests.istio import resources
from tests.istio.cluster import Manifest
from tests.istio.faults import (
    GREETER,
    OFF,
    Fault,
    as_configured,
    exact,
    prefix,
    unavailable,
    unimplemented,
    unserved,
)

ROUTING = [
    Fault(
        "DM207",
        "no-catch-all",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {**exact("look"), **OFF}),
        ],
        unimplemented,
        seen="(VirtualService default/{app}) matches it",
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
    # Istio retries calls twice by itself.
    Fault(
        "DM325",
        "not-configured",
        lambda app, port: [resources.service(app, port)],
        lambda called: called.runs == 3,
        seen="which is what Istio does by itself",
        call={"failures": 9},
    ),
    # A GRPCRoute takes the place of the VirtualService, and of all that it says.
    Fault(
        "DM325",
        "two-kinds-of-routes",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, *as_configured()),
            resources.grpc_route(app, app, port),
        ],
        lambda called: called.runs == 3,
        seen="(routes of the Gateway API)",
        call={"failures": 9},
        unasked=True,
    ),
    # With policy=routes nobody else asks for the retries of the proto.
    Fault(
        "DM338",
        "without-its-retries",
        lambda app, port: [resources.service(app, port), resources.virtual_service(app, OFF)],
        lambda called: called.runs == 1,
        rpc="look",
        call={"failures": 9},
        unasked=True,
    ),
    Fault(
        "DM322",
        "retries-of-http",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {"retries": {"attempts": 2, "retryOn": "5xx"}}),
        ],
        lambda called: called.runs == 1,
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {"retries": {"attempts": 2, "retryOn": "unavailable"}}),
        ],
        call={"failures": 9},
        unasked=True,
    ),
    Fault(
        "DM306",
        "timeout-for-all",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {**OFF, "timeout": "0.3s"}),
        ],
        lambda called: called.code is not grpc.StatusCode.OK,
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {**exact("hello"), **OFF, "timeout": "0.3s"}, *as_configured()),
        ],
        seen="(VirtualService default/{app}) of virtual host {app}.default.svc.cluster.local",
        rpc="watch",
        call={"timeout": None},
        unasked=True,
    ),
    Fault(
        "DM330",
        "aborted",
        lambda app, port: _fault(app, port, abort={"grpcStatus": "UNAVAILABLE"}),
        unavailable("fault filter abort"),
    ),
    Fault(
        "DM330",
        "delayed",
        lambda app, port: _fault(app, port, delay={"fixedDelay": "5s"}),
        unserved,
        call={"timeout": 0.3},
    ),
    Fault(
        "DM345",
        "shadowed",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {**prefix(GREETER), **OFF}, *as_configured()),
        ],
        lambda called: called.runs == 1,
        seen="(VirtualService default/{app}) of virtual host",
        rpc="look",
        call={"failures": 9},
        unasked=True,
    ),
    Fault(
        "DM329",
        "stripped",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(
                app, {**OFF, "headers": {"request": {"remove": ["x-envoy-retry-grpc-on"]}}}
            ),
        ],
        lambda called: called.runs == 1,
        rpc="look",
        call={"failures": 9},
    ),
    Fault(
        "DM332",
        "rewritten",
        lambda app, port: [
            resources.service(app, port),
            resources.virtual_service(app, {**prefix("/greeter.v1."), **OFF, "rewrite": {"uri": "/v1."}}),
        ],
        unimplemented,
    ),
]


def _fault(app: str, port: int, **fault: Mapping[str, Any]) -> list[Manifest]:
    always = {name: {**each, "percentage": {"value": 100}} for name, each in fault.items()}
    return [resources.service(app, port), resources.virtual_service(app, {**OFF, "fault": always})]
