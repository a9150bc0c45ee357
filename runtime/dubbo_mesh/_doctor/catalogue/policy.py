"""DM3xx: timeouts and retries."""

from __future__ import annotations

from collections.abc import Mapping

from .problem import Problem

_IGNORED = (
    "Envoy removes the headers for timeouts and retries, and says so nowhere: calls get what the route has."
)

POLICY: Mapping[str, Problem] = {
    "DM301": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: no address counts as internal",
        _IGNORED,
        "give it an internal_address_config, or leave timeouts and retries to its routes",
    ),
    "DM302": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: this process's address does not count as internal",
        _IGNORED,
        "add the address to internal_address_config",
    ),
    "DM303": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: x-forwarded-for makes requests external",
        _IGNORED,
        "set DUBBO_MESH_FORWARDED_FOR to off",
    ),
    "DM304": Problem(
        "headers",
        "error",
        "the sidecar drops timeout and retry headers: it goes by x-forwarded-for, and none is sent",
        _IGNORED,
        "set DUBBO_MESH_FORWARDED_FOR to an address of its internal_address_config",
    ),
    "DM305": Problem(
        "retries",
        "error",
        "the circuit breaker allows no retries",
        "Calls are not retried, whatever stubs and routes ask for.",
        "raise max_retries in the circuit breaker of the cluster",
    ),
    "DM306": Problem(
        "timeout",
        "error",
        "the route's timeout cuts a stream",
        "The stream ends with UNAVAILABLE, “upstream request timeout”.",
        "set the route's timeout to 0s",
    ),
}
