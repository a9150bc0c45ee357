"""DM45x: calls on trial."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem

CALLS: Mapping[str, Problem] = {
    "DM450": Problem(
        "call",
        "error",
        "the provider does not serve the rpc",
        "Calls end with UNIMPLEMENTED.",
        "is the rpc implemented, is its servicer added, and does the address lead to that server?",
    ),
    "DM451": Problem(
        "call",
        "error",
        "the sidecar answers a call by itself",
        "The call does not get to a handler, or no answer of it gets back.",
        "see the findings that are named; dubbo-mesh explain ID tells more about each",
    ),
    "DM452": Problem(
        "call",
        "error",
        "a call gets no connection, or loses it",
        "Calls end with UNAVAILABLE.",
        "see the findings about the address that is dialled",
    ),
    "DM453": Problem(
        "call",
        "error",
        "a call gets no answer in time",
        "Calls end with DEADLINE_EXCEEDED.",
        "is the handler slow, or blocked? Compare with the time past the sidecar, or raise the timeout",
    ),
    "DM455": Problem(
        "call",
        "error",
        "an Envoy refuses a call by its policy",
        "Calls end with PERMISSION_DENIED or UNAUTHENTICATED.",
        "in Istio: does an AuthorizationPolicy allow this path for this service account, and a "
        "RequestAuthentication this token (--header authorization=…)?",
    ),
    "DM456": Problem(
        "call",
        "error",
        "an rpc cannot be called on trial",
        "The doctor cannot tell what would happen to it.",
        "name it as package.Service/rpc, and the generated module of its service as a target",
    ),
    "DM457": Problem(
        "call",
        "warning",
        "the handler fails on an empty request",
        "It may fail on others too.",
        "look into the provider's log",
    ),
    "DM458": Problem(
        "call",
        "error",
        "another Envoy answers a call by itself",
        "The call gets through the sidecar, but not through what is behind it: often the provider's sidecar.",
        "run the doctor where the provider runs, with --server",
    ),
}
