"""DM3xx: whether the sidecar obeys headers of calls, and which of its routes count."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem

_IGNORED = "Envoy silently removes the headers for timeouts and retries: calls get what the route has."

TRUST: Mapping[str, Problem] = {
    "DM301": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: no address counts as internal",
        _IGNORED,
        "give its connection manager an internal_address_config (Istio: apply the emitted "
        "istio/internal-addresses.yaml), or generate with policy=routes, which needs no headers",
    ),
    "DM302": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: this process's address does not count as internal",
        _IGNORED,
        "add the address that calls come from to internal_address_config (Istio: to internal_addresses in "
        "[istio], from which istio/internal-addresses.yaml is generated)",
    ),
    "DM303": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: x-forwarded-for makes requests external",
        _IGNORED,
        "set DUBBO_MESH_FORWARDED_FOR to off, and have nothing else send x-forwarded-for",
    ),
    "DM304": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: it goes by x-forwarded-for, and none is sent",
        _IGNORED,
        "set DUBBO_MESH_FORWARDED_FOR to an address of its internal_address_config, or to pod, with POD_IP "
        "(the emitted kubernetes/<app>/deployment.yaml sets both)",
    ),
    "DM340": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: the address in x-forwarded-for is not internal",
        _IGNORED,
        "set DUBBO_MESH_FORWARDED_FOR to an address of internal_address_config, or add this one "
        "(Istio: to internal_addresses in [istio], from which istio/internal-addresses.yaml is generated)",
    ),
    "DM341": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: x-forwarded-for has several addresses",
        _IGNORED,
        "send one address only: let DUBBO_MESH_FORWARDED_FOR set it, and no interceptor or metadata",
    ),
    "DM342": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: x-forwarded-for is not an IP address",
        _IGNORED,
        "have interceptors and metadata send an IP address without a port, or none, and set "
        "DUBBO_MESH_FORWARDED_FOR",
    ),
    "DM343": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: it expects proxies in front of it",
        "An Envoy with xff_num_trusted_hops takes no request as internal that it judges by x-forwarded-for. "
        + _IGNORED,
        "set xff_num_trusted_hops to 0 for the listener of this process's calls",
    ),
    "DM344": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: it believes x-forwarded-for from certain proxies only",
        _IGNORED,
        "add the address that calls come from to xff_trusted_cidrs of the listener for this process's calls",
    ),
    "DM345": Problem(
        "route",
        "warning",
        "a route is never reached: one before it takes all its calls",
        "Envoy takes the first route that matches. What the later one says of timeouts, retries and "
        "destinations does not count.",
        "move the route before the other (Istio: the order of http in the VirtualService; in emitted ones, "
        "more specific routes come first)",
    ),
    "DM346": Problem(
        "headers",
        "info",
        "a filter of the sidecar may change timeout and retry headers",
        "It runs before the router, and its configuration does not tell which headers it sets or removes.",
        "if calls do not get what they ask for, look at what the filter does (in Istio: at the "
        "EnvoyFilter or WasmPlugin that adds it)",
    ),
    "DM347": Problem(
        "headers",
        "error",
        "a filter of the sidecar removes or replaces timeout and retry headers",
        "The router does not get what calls ask for, although the sidecar obeys their headers.",
        "take the headers out of the filter (Istio: the EnvoyFilter that adds it)",
    ),
    "DM348": Problem(
        "route",
        "info",
        "a filter of the sidecar may refuse calls",
        "Whether it lets a call pass depends on others that it asks, on credentials or on rules, which are "
        "not looked at here.",
        "nothing, if calls arrive: --call tells. They end with PERMISSION_DENIED, UNAUTHENTICATED or "
        "UNAVAILABLE if not",
    ),
}
