"""DM3xx: timeouts and retries."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem

POLICY: Mapping[str, Problem] = {
    "DM305": Problem(
        "retries",
        "error",
        "the circuit breaker allows no retries",
        "Calls are not retried, whatever stubs and routes ask for.",
        "raise max_retries, or the retry budget, in the circuit breaker of the cluster "
        "(Istio: connectionPool.http.maxRetries of its DestinationRule)",
    ),
    "DM306": Problem(
        "timeout",
        "error",
        "the route's timeout cuts a stream",
        "The stream ends with UNAVAILABLE, “upstream request timeout”, or, after its first response, "
        "with INTERNAL, “RST_STREAM”.",
        "set the timeout of the route to 0s (Istio: leave it out of the VirtualService), or have the "
        "stub's headers obeyed",
    ),
    "DM307": Problem(
        "timeout",
        "warning",
        "the route's timeout cuts a bidirectional stream when its requests have ended",
        "Responses that take longer, from the last request on, are lost.",
        "set the timeout of the route to 0s (Istio: leave it out of the VirtualService)",
    ),
    "DM308": Problem(
        "timeout",
        "warning",
        "a timeout of 15 s ends calls that nobody has set: Envoy's default",
        "Calls that take longer fail with UNAVAILABLE, “upstream request timeout”.",
        "give the rpc a timeout, in its options or the config, or set the timeout of the route",
    ),
    "DM309": Problem(
        "timeout",
        "error",
        "calls are cut before the time that they ask for: the header is dropped",
        "Calls that take longer than the route allows fail with UNAVAILABLE, “upstream request timeout”.",
        "have the headers obeyed (the finding on headers says how), or set the timeout of the route",
    ),
    "DM310": Problem(
        "timeout",
        "warning",
        "the route's timeout is shorter than the deadline of calls",
        "Calls that take longer than the route allows fail with UNAVAILABLE before their deadline.",
        "set the timeout of the route to the rpc's (Istio: `timeout` of the VirtualService), or apply the "
        "routes generated with policy=routes",
    ),
    "DM311": Problem(
        "timeout",
        "info",
        "a stub asks for more time than the route allows, and gets it",
        "The header replaces the timeout of the route.",
        "to have the route's timeout count, generate with policy=routes",
    ),
    "DM312": Problem(
        "timeout",
        "info",
        "streams, and calls that ask for no timeout, are ended when they are silent for long",
        "A call without messages in either direction for that long ends with UNAVAILABLE or INTERNAL.",
        "set stream_idle_timeout of the listener, or idle_timeout of the route, to 0s, or send something now "
        "and then",
    ),
    "DM313": Problem(
        "timeout",
        "error",
        "calls are ended that may take longer, since nothing is sent in the meantime",
        "They fail with UNAVAILABLE, “stream timeout”, before the time that they ask for.",
        "set stream_idle_timeout of the listener, or idle_timeout of the route, to 0s or a longer time",
    ),
    "DM314": Problem(
        "timeout",
        "warning",
        "a max_stream_duration ends calls, however much is sent",
        "They end before the time that they ask for, or that their routes allow; with DEADLINE_EXCEEDED, "
        "UNAVAILABLE or, after a first response, INTERNAL.",
        "raise the max_stream_duration that is named, or set it to 0s",
    ),
    "DM315": Problem(
        "timeout",
        "warning",
        "the listener's request_timeout ends calls that send requests for long",
        "They fail while the caller still sends.",
        "set request_timeout of the listener to 0s",
    ),
    "DM316": Problem(
        "retries",
        "error",
        "calls are not retried as they ask for: the headers are dropped",
        "They get the retries of the route, or none.",
        "have the headers obeyed (the finding on headers says how), or generate with policy=routes",
    ),
    "DM317": Problem(
        "retries",
        "error",
        "calls are retried that ask not to be: the headers are dropped",
        "A handler may run several times for one call.",
        "have the headers obeyed, or switch the retries of the route off "
        "(Istio: `retries: {attempts: 0}`, as istio/<app>.yaml has it)",
    ),
    "DM318": Problem(
        "retries",
        "warning",
        "a number of retries is asked for, and no condition for them",
        "Nothing is retried: neither the request nor the route has a condition.",
        "set retry.grpc_on, or retry.on, of the rpc",
    ),
    "DM319": Problem(
        "retries",
        "warning",
        "the timeout of attempts is ignored",
        "A per-try timeout has to be below the timeout of the call. Slow attempts are not retried.",
        "make the per-try timeout shorter, or the timeout longer",
    ),
    "DM320": Problem(
        "retries",
        "warning",
        "the timeout of attempts ends calls",
        "Envoy retries slow attempts on reset, 5xx or gateway-error only: the first one ends the call.",
        "add reset to the conditions (retry.on), and deadline-exceeded (retry.grpc_on), since a provider "
        "that is told the time may be faster; or remove the per-try timeout",
    ),
    "DM321": Problem(
        "retries",
        "warning",
        "the deadline comes before the timeout of attempts",
        "Slow attempts are not retried: the deadline ends the call first.",
        "make the per-try timeout shorter, or the deadline longer",
    ),
    "DM322": Problem(
        "retries",
        "warning",
        "the conditions for retries look at HTTP statuses only",
        "gRPC errors have the HTTP status 200: only broken connections and slow attempts are retried.",
        "add conditions such as unavailable (retry.grpc_on; Istio: retryOn)",
    ),
    "DM323": Problem(
        "retries",
        "warning",
        "a condition for retries is ignored",
        "Envoy does not know it, or only in the other one of x-envoy-retry-on and x-envoy-retry-grpc-on.",
        "correct the condition",
    ),
    "DM324": Problem(
        "retries",
        "warning",
        "the retry budget allows no retries while little is under way",
        "A share of few calls is less than one: they are not retried.",
        "set min_retry_concurrency of the budget to 1 or more",
    ),
    "DM325": Problem(
        "retries",
        "warning",
        "the route retries an rpc that may not be run twice",
        "A handler may run several times for one call. Istio retries all calls twice unless told not to.",
        "if it may run twice, mark it IDEMPOTENT; else set retry.attempts to 1, or apply istio/<app>.yaml",
    ),
    "DM326": Problem(
        "retries",
        "info",
        "large requests are not retried",
        "Envoy keeps requests for retries up to that size.",
        "raise request_body_buffer_limit of the route or virtual host",
    ),
    "DM327": Problem(
        "timeout",
        "error",
        "the route leaves nothing of the deadline",
        "Calls end at once with DEADLINE_EXCEEDED, “downstream duration timeout”.",
        "lower grpc_timeout_header_offset of the route, or raise the timeout of the rpc",
    ),
    "DM328": Problem(
        "retries",
        "warning",
        "the route retries only calls that have certain headers",
        "Calls without them are not retried, whatever else asks for it.",
        "send such a header, or remove retriable_request_headers from the retry policy",
    ),
    "DM329": Problem(
        "retries",
        "warning",
        "the route changes what calls ask for",
        "They get other retries, or none.",
        "remove the header from request_headers_to_add or -remove of the route, its virtual "
        "host or its route configuration",
    ),
    "DM330": Problem(
        "route",
        "warning",
        "faults are injected",
        "Calls are delayed or fail on purpose.",
        "remove the fault from the route (Istio: `fault` of the VirtualService) when the test is over",
    ),
    "DM331": Problem(
        "route",
        "info",
        "the sidecar limits the rate of calls",
        "Calls beyond the limit fail with UNAVAILABLE, or with RESOURCE_EXHAUSTED.",
        "raise the limit if such calls are meant to pass",
    ),
    "DM332": Problem(
        "route",
        "warning",
        "the route changes the path of the rpc",
        "The path names the rpc: a provider without an rpc of that name answers UNIMPLEMENTED.",
        "remove the rewriting from the route, unless the provider serves that path",
    ),
    "DM333": Problem(
        "route",
        "info",
        "the route changes the :authority of calls",
        "Routes behind this sidecar, and the provider, see another host.",
        "remove the rewriting from the route, unless the provider expects that host",
    ),
    "DM334": Problem(
        "route",
        "info",
        "copies of calls are sent elsewhere",
        "Their handlers run there too, and what they answer is lost.",
        "remove request_mirror_policies (Istio: `mirrors`) if that is not meant",
    ),
    "DM335": Problem(
        "route",
        "error",
        "a filter buffers the requests of streams",
        "The provider gets no request before the last one is sent, and a dialogue never begins.",
        "disable the buffer filter for the route",
    ),
    "DM336": Problem(
        "retries",
        "warning",
        "rpcs that ask for retries get none in direct mode",
        "A failure reaches the caller at once.",
        "call through a sidecar (DUBBO_MESH_MODE), or retry in the caller",
    ),
    "DM337": Problem(
        "retries",
        "warning",
        "rpcs ask for retries by headers, which proxyless mode ignores",
        "They get the retries of the control plane's routes, or none.",
        "generate with policy=routes, and apply the routes",
    ),
    "DM338": Problem(
        "retries",
        "warning",
        "the route lacks the retries of the proto, which its stub leaves to it",
        "Modules generated with policy=routes ask for none: without the route that was generated with them, "
        "calls are not retried.",
        "apply istio/<app>.yaml; a GRPCRoute, or another VirtualService, of the same host takes precedence",
    ),
    "DM339": Problem(
        "retries",
        "warning",
        "providers may end slow attempts themselves, which is not retried",
        "A provider that is faster than Envoy answers DEADLINE_EXCEEDED: the first slow attempt is the last.",
        "add deadline-exceeded to the conditions (retry.grpc_on; Istio: retryOn)",
    ),
}
