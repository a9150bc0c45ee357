"""DM4xx: this application's own servers."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem

SERVING: Mapping[str, Problem] = {
    "DM401": Problem(
        "health",
        "error",
        "the server does not answer",
        "Health checks of sidecars and of Kubernetes fail, so that it gets no calls.",
        "is the server up, and does it listen there?",
    ),
    "DM402": Problem(
        "health",
        "error",
        "the server has no health service",
        "Health checks of sidecars and of Kubernetes fail, so that it gets no calls.",
        "serve with dubbo_mesh.serve, or add a servicer by its generated add_..._to_server",
    ),
    "DM403": Problem(
        "health",
        "error",
        "the server reports that it is not serving",
        "It gets no calls.",
        "the server is starting or draining, or a health check fails",
    ),
    "DM404": Problem(
        "probes",
        "error",
        "the probes do not answer",
        "Kubernetes takes the pod for dead or not ready.",
        "set DUBBO_MESH_PROBES to the address that the server answers probes on",
    ),
    "DM405": Problem(
        "probes",
        "error",
        "the readiness probe says no",
        "Kubernetes sends the pod no calls.",
        "the server is starting or draining, or the sidecar that it requires is not ready",
    ),
    "DM410": Problem(
        "aliases",
        "info",
        "rpcs do not answer to their lower-first names",
        "Dubbo Java's consumers without a generated stub call sayHello for SayHello (apache/dubbo#9739).",
        "only if Dubbo Java consumers without a generated stub are to call it: generate it with "
        'aliases = ["lower-first"], and have authorization policies name those paths too',
    ),
}
