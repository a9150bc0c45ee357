"""What Istio's routes cannot express of a call policy.

Istio validates `retryOn` in `validateHTTPRetry` (`pkg/config/validation/validation.go`): Envoy's conditions,
those of gRPC, and HTTP status codes that Go has a name for. A VirtualService has no field for the names of
response headers, and none for hedging, the duration of streams, other responses to timeouts, or other names
of statistics. Durations are whole milliseconds, at least one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..mesh import wording
from ..mesh.durations import is_whole_milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..mesh.model import App
    from ..policy.model import RpcPolicy

LARGEST_CLIENT_SIDE = 200_000
"""The most characters of a file that `kubectl apply` surely takes.

It puts each object, as JSON, into an annotation, and all annotations may have 262,144 bytes
(`TotalAnnotationSizeLimitB` in Kubernetes). A file is mostly its VirtualService, and has comments.
"""
LARGEST = 1_400_000
"""The most characters of a file that etcd surely takes: 1.5 MiB in a request, with who set which field."""

_STATUS_CODES = frozenset(
    {
        *range(100, 104),
        *(*range(200, 209), 226),
        *(*range(300, 306), 307, 308),
        *(*range(400, 419), *range(421, 427), 428, 429, 431, 451),
        *(*range(500, 509), 510, 511),
    }
)
"""The status codes that `http.StatusText` of Go knows."""

_INEXPRESSIBLE: Mapping[str, str] = {
    "hedge_on_per_try_timeout": "Istio's routes cannot hedge",
    "stream_duration": "Istio's routes cannot limit how long a stream lasts",
    "timeout_alt_response": "Istio's routes have one response to timeouts only",
    "upstream_alt_stat_name": "Istio's routes cannot name statistics",
}


def check(app: App) -> None:
    """Checks that routes can say when the calls of an application are retried and end.

    Raises:
        GenerationError: they cannot.
    """
    for rpc in _rpcs(app):
        retry = rpc.call.retry
        for field in ("timeout", "per_try_timeout"):
            duration = getattr(rpc.call, field)
            if duration and not is_whole_milliseconds(duration):
                raise _wrong(
                    rpc, field, f"must be whole milliseconds in Istio's routes, not {duration * 1000:g} ms"
                )
        if retry is None:
            continue
        if retry.header_names:
            raise _wrong(
                rpc,
                "retry.header_names",
                "cannot be expressed in Istio's routes: remove it, or set policy=headers",
            )
        if "retriable-headers" in (retry.on or ()):
            raise _wrong(
                rpc,
                "retry.on",
                "must not hold retriable-headers, which Istio's routes cannot express: remove it, or set "
                "policy=headers",
            )
        for code in retry.status_codes or ():
            if code not in _STATUS_CODES:
                raise _wrong(
                    rpc,
                    "retry.status_codes",
                    f"must be status codes that HTTP defines in Istio's routes, not {code}",
                )


def warnings(app: App) -> list[str]:
    """What has no effect in the routes of an application, a line for each place that asks for it."""
    found: dict[tuple[str, str], list[RpcPolicy]] = {}
    for rpc in _rpcs(app):
        for field in _INEXPRESSIBLE:
            if getattr(rpc.call, field):
                found.setdefault((rpc.where(field), field), []).append(rpc)
    return [
        f"{where}: {field} of {wording.rpcs(rpcs)} has no effect with policy=routes: "
        f"{_INEXPRESSIBLE[field]}{_consequence(field, rpcs[0])}"
        for (where, field), rpcs in found.items()
    ]


def _consequence(field: str, rpc: RpcPolicy) -> str:
    if field != "hedge_on_per_try_timeout" or rpc.call.per_try_timeout is None:
        return ""
    from dubbo_mesh._contract.header_checks import RETRIES_SLOW_ATTEMPTS

    retry = rpc.call.retry
    if retry is not None and not RETRIES_SLOW_ATTEMPTS.isdisjoint(retry.on or ()):
        return ", and a slow attempt is cut before the next one starts"
    return ", and the first slow attempt ends the call unless retry.on holds reset, 5xx or gateway-error"


def _rpcs(app: App) -> Iterable[RpcPolicy]:
    return (rpc for service in app.services for rpc in service.rpcs)


def _wrong(rpc: RpcPolicy, field: str, what: str) -> GenerationError:
    return GenerationError(f"{field} of rpc {rpc.full_name} {what}", rpc.where(field))
