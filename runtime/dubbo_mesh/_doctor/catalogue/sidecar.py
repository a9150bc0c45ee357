"""DM2xx: the sidecar, and what a call meets in it."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem
from .upstream import UPSTREAM

_UNSEEN = (
    "The server cannot tell the sidecar that it goes down, and the doctor cannot see what it does to calls."
)

_UNKNOWN = (
    "does the Service exist, with this port, and does a Sidecar resource hide it? The one in the caller's "
    "istio/<app>.yaml lists the apps that its `calls` name ([apps] in the config)"
)

SIDECAR: Mapping[str, Problem] = {
    "DM201": Problem(
        "admin",
        "error",
        "the sidecar's admin endpoint cannot be reached",
        _UNSEEN,
        "is the sidecar up? Set DUBBO_MESH_ADMIN to the address of its admin endpoint, or to off if there is "
        "none",
    ),
    "DM202": Problem(
        "admin",
        "error",
        "what answers at the admin endpoint's address is no Envoy's admin endpoint",
        "The server would tell the wrong program that it is going down.",
        "set DUBBO_MESH_ADMIN to the address of Envoy's admin endpoint, or to off if there is no sidecar",
    ),
    "DM203": Problem(
        "admin",
        "error",
        "the sidecar has not started yet",
        "It has no configuration, and accepts no connections: calls fail.",
        "wait for it (--wait); if that does not help, look into its log: can it reach the control plane, and "
        "does it accept what that sends?",
    ),
    "DM204": Problem(
        "listener",
        "error",
        "no listener of the sidecar takes the connection",
        "Calls fail with UNAVAILABLE, or go past the sidecar.",
        "look at the sidecar's configuration: is there a listener for this port?",
    ),
    "DM205": Problem(
        "listener",
        "error",
        "the listener handles bytes, not requests",
        "Calls are neither retried nor balanced: all calls of a connection go to one host.",
        "name the Service's port grpc, or set its appProtocol to grpc, as kubernetes/<app>/service.yaml has "
        "it",
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
        "add a route for all other calls at the end of the virtual host (Istio: an entry without `match` at "
        "the end of the VirtualService, as istio/<app>.yaml has it)",
    ),
    "DM208": Problem(
        "route",
        "error",
        "the route does not send the call to a provider",
        "The caller gets the route's own answer.",
        "correct the route: in a VirtualService, look for directResponse and redirect",
    ),
    "DM221": Problem(
        "listener",
        "error",
        "the sidecar does not know the destination, and lets the connection pass",
        "Calls go past all that the mesh does: no retries, timeouts, balancing or mTLS of the sidecar.",
        _UNKNOWN,
    ),
    "DM222": Problem(
        "listener",
        "error",
        "the sidecar does not know the destination, and refuses it",
        "Calls fail: the mesh only lets out what it knows (outboundTrafficPolicy REGISTRY_ONLY).",
        _UNKNOWN,
    ),
    "DM223": Problem(
        "admin",
        "warning",
        "the sidecar has been told that this application takes no calls",
        "Others' health checks fail, so that it gets no calls. Its own calls still work.",
        "if the application is not going down: POST /healthcheck/ok to the admin endpoint. Did a server that "
        "was killed leave it so?",
    ),
    "DM231": Problem(
        "draining",
        "info",
        "while this application goes down, its own calls need a new connection each",
        "Once the sidecar has been told that the application goes down, a listener with the default drain "
        "type ends each connection after a request. No call fails.",
        "set drain_type: MODIFY_ONLY on the listener for outbound calls, as emit=envoy has it",
    ),
    "DM232": Problem(
        "config",
        "warning",
        "the sidecar has refused a part of its configuration",
        "It goes on with what it had before, or without.",
        "correct what it refuses: an EnvoyFilter, often. The control plane's log has it too",
    ),
    "DM233": Problem(
        "config",
        "warning",
        "the sidecar is not connected to the control plane",
        "It works with what it got last, so that it does not know of new hosts and of those that are gone.",
        "is the control plane up, and can the sidecar reach it? Its log says why not",
    ),
    "DM234": Problem(
        "config",
        "info",
        "the Envoy is of a version that this doctor was not tested with",
        "What it says about calls may differ from what such an Envoy does.",
        "nothing, unless calls do something else than the doctor says",
    ),
    "DM235": Problem(
        "admin",
        "info",
        "there is no sidecar",
        "Calls go straight to the addresses that names resolve to. Nobody retries them, and timeouts are the "
        "caller's own.",
        "right for ambient mode, where a waypoint has the policies, and without a mesh: say so by "
        "DUBBO_MESH_ADMIN=off. If there is a sidecar elsewhere, set DUBBO_MESH_ADMIN and DUBBO_MESH_EGRESS",
    ),
    "DM236": Problem(
        "admin",
        "warning",
        "what answers at the default address of admin endpoints is no Envoy's admin endpoint",
        "A server would take it for its sidecar, and tell it that it is going down.",
        "set DUBBO_MESH_ADMIN to the address of Envoy's admin endpoint, or to off if there is no sidecar",
    ),
    "DM237": Problem(
        "admin",
        "error",
        "the sidecar's configuration cannot be read as a whole",
        "The doctor cannot see what the sidecar does to calls.",
        "give it more time (--timeout), or save /config_dump and /clusters?format=json, and name the files "
        "by --config-dump",
    ),
    "DM238": Problem(
        "admin",
        "error",
        "the admin endpoint does not show its configuration",
        "The doctor cannot see what the sidecar does to calls.",
        "allow GET of /config_dump, /clusters, /server_info and /stats (allow_paths in Envoy's bootstrap)",
    ),
    "DM239": Problem(
        "config",
        "error",
        "a file that --config-dump names cannot be read",
        "The doctor cannot see what the sidecar does to calls.",
        "correct the name, or who may read the file",
    ),
    "DM240": Problem(
        "config",
        "error",
        "a file that --config-dump names is not the configuration of an Envoy",
        "The doctor cannot see what the sidecar does to calls.",
        "save it from /config_dump or /clusters?format=json of the admin endpoint, or from istioctl "
        "proxy-config all|listeners|routes|clusters|endpoints -o json",
    ),
    "DM242": Problem(
        "listener",
        "error",
        "the listener does not accept connections yet",
        "It waits for something of its configuration, such as routes or certificates: calls fail.",
        "look into the sidecar's log, and at the control plane: what has it not sent?",
    ),
    "DM243": Problem(
        "route",
        "error",
        "the listener's routes have not arrived",
        "Envoy answers 404, which gRPC callers see as UNIMPLEMENTED.",
        "look into the sidecar's log: is it connected to the control plane, and has it refused the routes?",
    ),
    "DM244": Problem(
        "listener",
        "error",
        "the listener expects TLS",
        "Stubs call the sidecar without: calls fail with UNAVAILABLE.",
        "remove the transport_socket of the listener for outbound calls: it is the sidecar that speaks TLS",
    ),
    "DM246": Problem(
        "config",
        "info",
        "the sidecar has refused updates since it was started",
        "If the last one was among them, it works with an older state of what the control plane has.",
        "look for “rejected” in the sidecar's log; if it has been corrected since, there is nothing to do",
    ),
    **UPSTREAM,
}
