"""DM4xx: this application's own servers."""

from __future__ import annotations

from collections.abc import Mapping

from .calls import CALLS
from .problem import Problem

_NO_CALLS = "Health checks of sidecars and of Kubernetes fail, so that it gets no calls."
_SERVE = "serve with dubbo_mesh.serve, or add a servicer by its generated add_..._to_server"
_KUBELET = "Kubernetes considers the pod dead or not ready."

SERVING: Mapping[str, Problem] = {
    "DM401": Problem(
        "health",
        "error",
        "nothing accepts connections where the server should listen",
        _NO_CALLS,
        "is the server up, and does it listen there (address=, port= or DUBBO_MESH_LISTEN)?",
    ),
    "DM402": Problem(
        "health",
        "warning",
        "the server has no health service",
        "gRPC health checks of Envoys, Kubernetes and dubbo-go fail: with them the server gets no calls.",
        _SERVE,
    ),
    "DM403": Problem(
        "health",
        "error",
        "the server reports that it is not serving",
        "It gets no calls.",
        "the server is starting or draining, or a health check fails: its log says which",
    ),
    "DM404": Problem(
        "probes",
        "error",
        "the probes do not answer",
        _KUBELET,
        "set DUBBO_MESH_PROBES to the address that the server answers probes on; "
        "if the port was taken, the server's log says so",
    ),
    "DM405": Problem(
        "probes",
        "error",
        "the readiness probe reports that the server is not ready",
        "Kubernetes sends the pod no calls.",
        "the server is draining, was taken out (set_serving), a health check fails, or the sidecar that it "
        "requires is gone",
    ),
    "DM406": Problem(
        "health",
        "error",
        "the server's address cannot be understood",
        "The doctor cannot tell what to ask.",
        "give --server as HOST:PORT, [IPv6]:PORT, unix:PATH or auto",
    ),
    "DM407": Problem(
        "health",
        "error",
        "the server accepts connections and never answers",
        _NO_CALLS,
        "is the process stopped, or blocked before it serves? Or was the port opened before a fork?",
    ),
    "DM408": Problem(
        "health",
        "error",
        "the server speaks TLS behind a sidecar",
        "Sidecars pass calls on in clear text, and Kubernetes' grpc probes use it too: all fail.",
        "serve without credentials: sidecars encrypt what is between them. If there is no sidecar, "
        "set DUBBO_MESH_MODE to proxyless or direct",
    ),
    "DM409": Problem(
        "health",
        "error",
        "what listens at the server's address is not a gRPC server",
        "Calls fail.",
        "name the port of the gRPC server: is it another process, or the probes' or metrics' port?",
    ),
    "DM410": Problem(
        "aliases",
        "info",
        "rpcs do not answer to their lower-first names",
        "Dubbo Java's consumers without a generated stub call sayHello for SayHello (apache/dubbo#9739).",
        "only if Dubbo Java consumers without a generated stub are to call it: generate it with "
        'aliases = ["lower-first"], and have authorization policies name those paths too',
    ),
    "DM411": Problem(
        "health",
        "error",
        "a service of the server is not serving",
        "Envoys and Dubbo consumers that check this name send it no calls.",
        "it was taken out (set_serving), or its health check fails: the server's log says which",
    ),
    "DM412": Problem(
        "health",
        "warning",
        "the health service does not know a name that others ask for",
        "Envoys whose grpc_health_check names it, and Dubbo consumers that ask for it, send it no calls.",
        "serve with dubbo_mesh.serve, or set the status of this name in the health servicer",
    ),
    "DM413": Problem(
        "health",
        "error",
        "the server does not serve a service of this application",
        "Calls end with UNIMPLEMENTED.",
        "pass its servicer to dubbo_mesh.serve, or call its generated add_..._to_server before the start",
    ),
    "DM414": Problem(
        "health",
        "error",
        "health checks are refused",
        "Sidecars and Kubernetes send no credentials: their checks fail, and the server gets no calls.",
        "let /grpc.health.v1.Health/ pass the interceptor; on dubbo_mesh.Server interceptors do not see it",
    ),
    "DM415": Problem(
        "health",
        "error",
        "the health service fails",
        _NO_CALLS,
        "look into the server's log: an interceptor or the health service raises",
    ),
    "DM416": Problem(
        "health",
        "error",
        "the health service does not answer in time",
        _NO_CALLS,
        "if all threads are busy, raise max_workers; on dubbo_mesh.Server health has threads of its own",
    ),
    "DM417": Problem(
        "health",
        "info",
        "the server has no name for liveness",
        "A grpc liveness probe in Kubernetes would restart a pod that only drains or is not ready yet.",
        "only with such a probe: serve with dubbo_mesh and probe the service “liveness”, or /live by HTTP",
    ),
    "DM418": Problem(
        "health",
        "error",
        "the server cannot be reached at the pod's IP",
        "Istio's sidecars (since 1.10) and the kubelet connect to the pod's IP: calls end with UNAVAILABLE.",
        "listen on all addresses, IPv6 and IPv4: leave address= out, or set DUBBO_MESH_LISTEN to [::]:PORT",
    ),
    "DM419": Problem(
        "probes",
        "error",
        "the liveness probe reports that the server has stopped",
        "Kubernetes restarts the pod.",
        "the server has stopped, and its process goes on: let it end, or serve again",
    ),
    "DM420": Problem(
        "probes",
        "error",
        "the server is still starting",
        "Kubernetes sends the pod no calls yet.",
        "wait for it. What may take long: on_start, the first run of a health check, waiting for the sidecar",
    ),
    "DM421": Problem(
        "probes",
        "error",
        "something else answers at the probes' address",
        _KUBELET,
        "the port is another program's: set DUBBO_MESH_PROBES to a free one, and the probes in "
        "kubernetes/<app>/deployment.yaml ([kubernetes] probes)",
    ),
    "DM422": Problem(
        "probes",
        "error",
        "the probes cannot be reached at the pod's IP",
        "The kubelet connects to the pod's IP: the pod never becomes ready, and is restarted.",
        "set DUBBO_MESH_PROBES to [::]:22222, which is all addresses, IPv6 and IPv4",
    ),
    "DM423": Problem(
        "reflection",
        "info",
        "the server has no reflection",
        "grpcurl, buf curl and Postman cannot list its services; they need the protos.",
        "only with such tools: serve with reflection=True (needs the extra dubbo-mesh[reflection])",
    ),
    "DM424": Problem(
        "reflection",
        "warning",
        "reflection is broken",
        "grpcurl and buf curl stop with an error, though calls work.",
        "serve with dubbo_mesh and reflection=True, which describes the health service and both versions; "
        "elsewhere, import the _pb2 modules of all services before reflection is enabled",
    ),
    "DM426": Problem(
        "reflection",
        "info",
        "the server has services that no target names",
        "The doctor has not looked at them.",
        "name their generated modules as targets",
    ),
    "DM430": Problem(
        "grace",
        "warning",
        "the pod is killed before running calls have had their grace",
        "Calls that run longer are cut off, and their callers see UNAVAILABLE.",
        "raise terminationGracePeriodSeconds above drain + grace",
    ),
    "DM431": Problem(
        "grace",
        "error",
        "the pod is killed while it drains",
        "All calls that run then are cut off, and their callers see UNAVAILABLE.",
        "raise terminationGracePeriodSeconds above drain + grace",
    ),
    "DM432": Problem(
        "grace",
        "warning",
        "the sidecar ends before the server",
        "A classic sidecar is told to end when the application is. Calls through it are then cut off.",
        'have a native sidecar ([kubernetes] sidecar = "native", or the annotation '
        "sidecar.istio.io/nativeSidecar), or raise terminationDrainDuration in the annotation "
        "proxy.istio.io/config, as kubernetes/<app>/deployment.yaml does for a classic one",
    ),
    "DM434": Problem(
        "inbound",
        "error",
        "the sidecar speaks HTTP/1.1 to the server",
        "gRPC needs HTTP/2: calls to this application fail with UNAVAILABLE, “protocol error”.",
        "name the Service's port grpc, or set its appProtocol to grpc, as kubernetes/<app>/service.yaml does",
    ),
    "DM435": Problem(
        "inbound",
        "error",
        "the sidecar's health_check filter does not speak gRPC",
        "gRPC health checks fail, whatever the server answers: callers' sidecars take it out of service.",
        "set pass_through_mode to true, and no cache_time, for /grpc.health.v1.Health/Check",
    ),
    "DM436": Problem(
        "inbound",
        "warning",
        "the sidecar in front of the server ends calls",
        "Calls and streams that last longer end with UNAVAILABLE, whatever their callers' sidecars allow.",
        "set the timeout of the route to the server to 0s: the caller's sidecar has the timeouts",
    ),
    "DM437": Problem(
        "inbound",
        "warning",
        "no Service leads to the server's port",
        "Calls by the Service's name go to other ports, or to none.",
        "set the Service's port or targetPort to this port (kubernetes/<app>/service.yaml), and its selector "
        "to this pod's labels",
    ),
    "DM440": Problem(
        "keepalive",
        "warning",
        "the server closes connections that are pinged",
        "An Envoy with connection_keepalive, or a consumer in Go or Java, pings silent connections: running "
        "calls end with UNAVAILABLE, “Too many pings”.",
        "let the server take pings (grpc.http2.max_ping_strikes 0)",
    ),
    "DM441": Problem(
        "keepalive",
        "error",
        "the sidecar pings the server, which closes connections that are pinged",
        "Calls that are silent for some intervals end with UNAVAILABLE, “Too many pings”.",
        "let the server take pings (grpc.http2.max_ping_strikes 0)",
    ),
    **CALLS,
}
