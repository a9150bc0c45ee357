"""DM2xx: the sidecar, and what a call meets in it."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem

SIDECAR: Mapping[str, Problem] = {
    "DM201": Problem(
        "admin",
        "error",
        "the sidecar's admin endpoint cannot be reached",
        "The server cannot tell the sidecar that it goes down, and the doctor cannot see what it does.",
        "set DUBBO_MESH_ADMIN to the address of Envoy's admin endpoint, or to off if there is no sidecar",
    ),
    "DM202": Problem(
        "admin",
        "error",
        "what answers at the admin endpoint's address is no Envoy",
        "The server would tell the wrong program that it is going down.",
        "set DUBBO_MESH_ADMIN to the address of Envoy's admin endpoint, or to off if there is no sidecar",
    ),
    "DM203": Problem(
        "admin",
        "error",
        "the sidecar is not ready",
        "Its listeners do not accept connections yet, so calls fail.",
        "wait for it, or look into its log: it may lack its configuration",
    ),
    "DM204": Problem(
        "listener",
        "error",
        "no listener of the sidecar's takes the connection",
        "Calls fail with UNAVAILABLE, or go past the sidecar.",
        "look at the sidecar's configuration: is there a listener for this port?",
    ),
    "DM205": Problem(
        "listener",
        "error",
        "the listener handles bytes, not requests",
        "Calls are neither retried nor balanced: all calls of a connection go to one host.",
        "name the Service's port grpc, or set its appProtocol to grpc",
    ),
    "DM206": Problem(
        "route",
        "error",
        "no virtual host matches the :authority",
        "Envoy answers 404, which gRPC callers see as UNIMPLEMENTED.",
        "does the Service exist in this namespace, and does a Sidecar resource hide it?",
    ),
    "DM207": Problem(
        "route",
        "error",
        "no route matches the rpc",
        "Envoy answers 404, which gRPC callers see as UNIMPLEMENTED.",
        "add a route for all other calls at the end of the virtual host",
    ),
    "DM208": Problem(
        "route",
        "error",
        "the route does not send the call to a provider",
        "The caller gets the route's own answer.",
        "correct the route",
    ),
    "DM209": Problem(
        "upstream",
        "error",
        "the cluster of the route does not exist",
        "Envoy answers 503, which gRPC callers see as UNAVAILABLE.",
        "is there a DestinationRule with the subset that the route names?",
    ),
    "DM210": Problem(
        "upstream",
        "error",
        "no host of the cluster gets requests",
        "Calls fail with UNAVAILABLE, “no healthy upstream”.",
        "is a pod of the provider ready, and does it pass its health checks?",
    ),
    "DM211": Problem(
        "upstream",
        "error",
        "the sidecar speaks HTTP/1.1 to the provider",
        "gRPC needs HTTP/2: calls fail.",
        "name the Service's port grpc, or set its appProtocol to grpc",
    ),
}
