"""Envoy's request headers, typed.

Names and meanings are those of Envoy's router filter and HTTP connection manager (Envoy docs:
`configuration/http/http_filters/router_filter` and `configuration/http/http_conn_man/headers`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from .header_checks import (
    RETRIES_SLOW_ATTEMPTS,
    Duration,
    checked,
    milliseconds,
    would_be_ignored,
)

TIMEOUT_HEADER = "x-envoy-upstream-rq-timeout-ms"

_RUNTIME = __name__.partition(".")[0]
_not_warned: set[str] = set()


@dataclass(frozen=True, slots=True, init=False)
class EnvoyHeaders:
    """What a caller asks of the sidecar for one request. None means unset, and nothing is sent for it.

    Durations are seconds or a `timedelta`, and are sent to Envoy in whole milliseconds. Envoy obeys
    only requests that it considers internal, and silently drops the router's headers from all others: see
    `DUBBO_MESH_FORWARDED_FOR` and `python -m dubbo_mesh doctor`.

    Raises:
        ValueError: a value cannot be sent, or Envoy would ignore it; the message names the field.

    Warns:
        UserWarning: `per_try_timeout` would end calls rather than start another attempt, since no retry
            policy given beside it retries an attempt that is too slow.
    """

    timeout: float | None
    inherit_timeout: bool | None
    per_try_timeout: float | None
    max_retries: int | None
    retry_on: tuple[str, ...] | None
    retry_grpc_on: tuple[str, ...] | None
    retriable_status_codes: tuple[int, ...] | None
    retriable_header_names: tuple[str, ...] | None
    hedge_on_per_try_timeout: bool | None
    upstream_alt_stat_name: str | None
    timeout_alt_response: bool | None
    stream_duration: float | None
    decorator_operation: str | None
    force_trace: bool | None
    client_trace_id: str | None
    original_dst_host: str | None

    def __init__(
        self,
        *,
        timeout: Duration | None = None,
        inherit_timeout: bool | None = None,
        per_try_timeout: Duration | None = None,
        max_retries: int | None = None,
        retry_on: str | Iterable[str] | None = None,
        retry_grpc_on: str | Iterable[str] | None = None,
        retriable_status_codes: Iterable[int] | None = None,
        retriable_header_names: str | Iterable[str] | None = None,
        hedge_on_per_try_timeout: bool | None = None,
        upstream_alt_stat_name: str | None = None,
        timeout_alt_response: bool | None = None,
        stream_duration: Duration | None = None,
        decorator_operation: str | None = None,
        force_trace: bool | None = None,
        client_trace_id: str | None = None,
        original_dst_host: str | None = None,
    ) -> None:
        """Validates and stores the fields.

        Args:
            timeout: of the whole request, retries included; 0 means none (`x-envoy-upstream-rq-timeout-ms`).
                It is also the call's gRPC deadline if the call itself has no timeout.
            inherit_timeout: leave the timeout to Envoy's route: send no header, whatever the deadline.
            per_try_timeout: of each attempt (`x-envoy-upstream-rq-per-try-timeout-ms`), below `timeout`. An
                attempt that exceeds it is retried only under `reset`, `5xx` or `gateway-error` in
                `retry_on`, or with `hedge_on_per_try_timeout`; otherwise it ends the call.
            max_retries: attempts after the first (`x-envoy-max-retries`). Has no effect without one of the
                retry policies below or the route's own.
            retry_on: policies of `RETRY_ON` (`x-envoy-retry-on`).
            retry_grpc_on: policies of `RETRY_GRPC_ON` (`x-envoy-retry-grpc-on`).
            retriable_status_codes: HTTP codes (`x-envoy-retriable-status-codes`); implies that policy.
            retriable_header_names: response headers (`x-envoy-retriable-header-names`); implies that policy.
            hedge_on_per_try_timeout: when an attempt exceeds `per_try_timeout`, start another one without
                cancelling it (`x-envoy-hedge-on-per-try-timeout`).
            upstream_alt_stat_name: also count the request in `cluster.<cluster>.<name>.`
                (`x-envoy-upstream-alt-stat-name`).
            timeout_alt_response: answer a timeout with 204 instead of 504
                (`x-envoy-upstream-rq-timeout-alt-response`).
            stream_duration: how long a stream may last (`x-envoy-upstream-stream-duration-ms`).
            decorator_operation: the span's operation name (`x-envoy-decorator-operation`).
            force_trace: always trace this request (`x-envoy-force-trace`).
            client_trace_id: joined to the request id in traces (`x-client-trace-id`).
            original_dst_host: `ip:port` for an original-destination cluster (`x-envoy-original-dst-host`).
        """
        put = object.__setattr__
        values = checked(
            timeout=timeout,
            inherit_timeout=inherit_timeout,
            per_try_timeout=per_try_timeout,
            max_retries=max_retries,
            retry_on=retry_on,
            retry_grpc_on=retry_grpc_on,
            retriable_status_codes=retriable_status_codes,
            retriable_header_names=retriable_header_names,
            hedge_on_per_try_timeout=hedge_on_per_try_timeout,
            upstream_alt_stat_name=upstream_alt_stat_name,
            timeout_alt_response=timeout_alt_response,
            stream_duration=stream_duration,
            decorator_operation=decorator_operation,
            force_trace=force_trace,
            client_trace_id=client_trace_id,
            original_dst_host=original_dst_host,
        )
        for name, value in values.items():
            put(self, name, value)
        if self.per_try_timeout is not None and self._ends_at_first_slow_attempt():
            _warn_of_per_try_timeout()

    def to_metadata(self) -> tuple[tuple[str, str], ...]:
        """Returns the headers as gRPC metadata, in a fixed order; empty if no field is set."""
        headers = self._headers_but_timeout()
        if self.timeout is not None and not self.inherit_timeout:
            headers.insert(0, (TIMEOUT_HEADER, milliseconds(self.timeout)))
        return tuple(headers)

    def __or__(self, other: EnvoyHeaders) -> EnvoyHeaders:
        """Merges: a field that is set in `other` wins over the same field here.

        A per-try timeout from here that is not below `other`'s timeout is dropped: Envoy would ignore it.
        """
        if not isinstance(other, EnvoyHeaders):
            return NotImplemented
        merged = self.given() | other.given()
        if other.per_try_timeout is None and would_be_ignored(self.per_try_timeout, other.timeout):
            del merged["per_try_timeout"]
        return EnvoyHeaders(**merged)

    def given(self) -> dict[str, Any]:
        """Returns the fields that are set, by name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    def __repr__(self) -> str:
        return f"EnvoyHeaders({', '.join(f'{name}={value!r}' for name, value in self.given().items())})"

    def _ends_at_first_slow_attempt(self) -> bool:
        """Whether retries are asked for, but not of attempts that exceed the per-try timeout.

        Without any retry policy here the route's may well have the right ones.
        """
        asks = (
            self.retry_on or self.retry_grpc_on or self.retriable_status_codes or self.retriable_header_names
        )
        return (
            bool(asks)
            and self.max_retries != 0
            and not self.hedge_on_per_try_timeout
            and RETRIES_SLOW_ATTEMPTS.isdisjoint(self.retry_on or ())
        )

    def _headers_but_timeout(self) -> list[tuple[str, str]]:
        retry_on = list(self.retry_on or ())
        for implied, given in (
            ("retriable-status-codes", self.retriable_status_codes),
            ("retriable-headers", self.retriable_header_names),
        ):
            if given and implied not in retry_on:
                retry_on.append(implied)
        headers: list[tuple[str, str]] = []

        def add(header: str, value: str | None) -> None:
            if value:
                headers.append((header, value))

        add("x-envoy-upstream-rq-per-try-timeout-ms", milliseconds(self.per_try_timeout))
        add("x-envoy-max-retries", None if self.max_retries is None else str(self.max_retries))
        add("x-envoy-retry-on", ",".join(retry_on))
        add("x-envoy-retry-grpc-on", ",".join(self.retry_grpc_on or ()))
        add("x-envoy-retriable-status-codes", ",".join(map(str, self.retriable_status_codes or ())))
        add("x-envoy-retriable-header-names", ",".join(self.retriable_header_names or ()))
        add("x-envoy-hedge-on-per-try-timeout", _true_false(self.hedge_on_per_try_timeout))
        add("x-envoy-upstream-alt-stat-name", self.upstream_alt_stat_name)
        add("x-envoy-upstream-rq-timeout-alt-response", "1" if self.timeout_alt_response else None)
        add("x-envoy-upstream-stream-duration-ms", milliseconds(self.stream_duration))
        add("x-envoy-decorator-operation", self.decorator_operation)
        add("x-envoy-force-trace", "true" if self.force_trace else None)
        add("x-client-trace-id", self.client_trace_id)
        add("x-envoy-original-dst-host", self.original_dst_host)
        return headers


def suppress_warnings_in(module: str) -> None:
    """Lets headers created in `module` pass without a warning: the plugin warns of those it generates."""
    _not_warned.add(module)


def _warn_of_per_try_timeout() -> None:
    import inspect  # only here, where few come: it takes longer to import than all of this module

    level, caller = 3, inspect.stack(0)[2].frame  # who called EnvoyHeaders()
    # Behind replace(), dataclasses' or copy's, there is one more frame, and since Python 3.13 there are two.
    while caller.f_globals.get("__name__") in {"copy", "dataclasses"} and caller.f_back is not None:
        level, caller = level + 1, caller.f_back
    module = str(caller.f_globals.get("__name__"))
    # Within the runtime headers are merged, whose parts have been looked at where they were created.
    if module not in _not_warned and not module.startswith(f"{_RUNTIME}."):
        warnings.warn(
            "per_try_timeout ends the call at the first slow attempt: Envoy retries slow attempts only if "
            "retry_on has reset, 5xx or gateway-error, or with hedge_on_per_try_timeout",
            UserWarning,
            stacklevel=level,
        )


def _true_false(value: bool | None) -> str:
    return "" if value is None else str(value).lower()
