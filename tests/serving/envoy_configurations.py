"""The Envoy configurations of docs/lifecycle.md, and their YAML as it stands there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.sidecars.config import typed

Json = Mapping[str, Any]


def health_check_filter(path: str, **settings: Any) -> dict[str, Any]:
    """Envoy's health_check filter for requests to `path`."""
    return {
        "name": "envoy.filters.http.health_check",
        "typed_config": typed(
            "envoy.extensions.filters.http.health_check.v3.HealthCheck",
            **settings,
            headers=[{"name": ":path", "string_match": {"exact": path}}],
        ),
    }


# In the provider's sidecar, before the router.

GRPC_PASS_THROUGH = health_check_filter("/grpc.health.v1.Health/Check", pass_through_mode=True)
HTTP_PASS_THROUGH_CACHED = health_check_filter("/ready", pass_through_mode=True, cache_time="2s")
ROUTE_TO_PROBES: Json = {"match": {"path": "/ready"}, "route": {"cluster": "probes"}}

# In the consumer's Envoy, in the cluster.

GRPC_CHECKS: Json = {
    "health_checks": [
        {
            "timeout": "1s",
            "interval": "1s",
            "no_traffic_interval": "1s",
            "unhealthy_threshold": 1,
            "healthy_threshold": 1,
            "grpc_health_check": {"service_name": "org.apache.dubbo.samples.Greeter"},
        }
    ],
    "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
}
HTTP_CHECKS: Json = {
    "health_checks": [
        {
            "timeout": "1s",
            "interval": "1s",
            "no_traffic_interval": "1s",
            "unhealthy_threshold": 2,
            "healthy_threshold": 1,
            "http_health_check": {"path": "/ready"},
        }
    ],
    "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
}
ENDPOINT_WITH_PROBES: Json = {
    "endpoint": {
        "address": {"socket_address": {"address": "10.1.2.3", "port_value": 50052}},
        "health_check_config": {"port_value": 22222},
    }
}

DOCUMENTED = {
    "GRPC_PASS_THROUGH": [GRPC_PASS_THROUGH],
    "HTTP_PASS_THROUGH_CACHED": [HTTP_PASS_THROUGH_CACHED],
    "ROUTE_TO_PROBES": [ROUTE_TO_PROBES],
    "GRPC_CHECKS": GRPC_CHECKS,
    "HTTP_CHECKS": HTTP_CHECKS,
    "ENDPOINT_WITH_PROBES": [ENDPOINT_WITH_PROBES],
}


def yaml(value: Any) -> str:
    """Block-style YAML of a mapping or a sequence of mappings."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():  # pyright: ignore[reportUnknownVariableType]
            if isinstance(each, Mapping | Sequence) and not isinstance(each, str):
                yield f"{_scalar(key)}:"
                indent = "" if isinstance(each, Sequence) else "  "
                yield from (indent + line for line in _lines(each))
            else:
                yield f"{_scalar(key)}: {_scalar(each)}"
    else:
        for each in value:
            first, *rest = _lines(each)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return f'"{text}"' if text.startswith((":", "@")) or not text else text
