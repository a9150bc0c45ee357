"""What the fields of `EnvoyHeaders` may be.

The plugin checks what it generates by these too. It imports nothing else of `EnvoyHeaders`, since
`dataclasses` alone takes a seventh of the time of a small run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from .validation import check_header_value, check_host_port

RETRY_ON = (
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "http3-post-connect-failure",
)
"""The policies that `x-envoy-retry-on` accepts."""

RETRY_GRPC_ON = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")
"""The policies that `x-envoy-retry-grpc-on` accepts."""

RETRIES_SLOW_ATTEMPTS = frozenset({"reset", "5xx", "gateway-error"})
"""The policies under which Envoy retries an attempt that has exceeded its per-try timeout."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
LONGEST_SECONDS = 10**9
"""Some thirty years; in milliseconds it is still an int64, which is what Envoy parses."""

Duration = float | timedelta


def checked(**given: Any) -> dict[str, Any]:
    """The fields of `EnvoyHeaders` that are given, as they are stored.

    Raises:
        ValueError: a value cannot be sent, or Envoy would ignore it; the message begins with the field.
    """
    values = {name: None if value is None else _CHECKS[name](name, value) for name, value in given.items()}
    whole, per_try = values.get("timeout"), values.get("per_try_timeout")
    if would_be_ignored(per_try, whole):
        raise ValueError(
            f"per_try_timeout must be below timeout ({whole:g} s), not {per_try:g} s: Envoy would ignore it"
        )
    return values


def would_be_ignored(per_try: float | None, whole: float | None) -> bool:
    """Whether Envoy would ignore a per-try timeout beside that whole one, judging by whole milliseconds."""
    return bool(whole) and per_try is not None and int(milliseconds(per_try)) >= int(milliseconds(whole))


def milliseconds(seconds: float | None) -> str:
    """Whole milliseconds for Envoy, '' for None; never rounded down to 0, which would mean no limit."""
    if seconds is None:
        return ""
    return str(max(1, round(seconds * 1000)) if seconds else 0)


def _seconds(name: str, value: Duration) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} must be a duration (seconds or a timedelta), not {value!r}")  # noqa: TRY004 - as for every bad value
    if not 0 <= value <= LONGEST_SECONDS:  # which NaN is not either
        raise ValueError(f"{name} must be a duration of 0 to {LONGEST_SECONDS} seconds, not {value!r}")
    return float(value)


def _flag(name: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, not {value!r}")  # noqa: TRY004
    return value


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError(f"{name} must be an integer of at least 0, not {value!r}")
    return value


def _ip_port(name: str, value: str) -> str:
    import ipaddress

    host, _, _ = check_host_port(name, check_header_value(name, value)).rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError(f"{name} must have the form ip:port, or Envoy ignores it: not {value!r}") from None
    return value


def _items(name: str, value: str | Iterable[str]) -> tuple[str, ...]:
    """The items of a list, or of a header's value (names separated by commas), without repetitions."""
    items = value.split(",") if isinstance(value, str) else _listed(name, value)
    return tuple(dict.fromkeys(item.strip() if isinstance(item, str) else item for item in items))


def _listed(name: str, value: Iterable[Any]) -> tuple[Any, ...]:
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        items = tuple(value)
        if all(isinstance(item, Hashable) for item in items):
            return items
    raise ValueError(f"{name} must be a list, not {value!r}")


def _policies(known: tuple[str, ...], name: str, value: str | Iterable[str]) -> tuple[str, ...]:
    policies = _items(name, value)
    for policy in policies:
        if policy not in known:
            raise ValueError(f"{name} must be one or more of {', '.join(known)}, not {policy!r}")
    return policies


def _status_codes(name: str, value: Iterable[int]) -> tuple[int, ...]:
    codes = tuple(dict.fromkeys(_listed(name, value)))
    for code in codes:
        if not isinstance(code, int) or isinstance(code, bool) or not 100 <= code <= 599:
            raise ValueError(f"{name} must be HTTP status codes, 100 to 599, not {code!r}")
    return codes


def _header_names(name: str, value: str | Iterable[str]) -> tuple[str, ...]:
    headers = _items(name, value)
    for header in headers:
        if not isinstance(header, str) or not _HEADER_NAME.fullmatch(header):
            raise ValueError(f"{name} must be names of headers, not {header!r}")
    return headers


_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "timeout": _seconds,
    "inherit_timeout": _flag,
    "per_try_timeout": _seconds,
    "max_retries": _count,
    "retry_on": partial(_policies, RETRY_ON),
    "retry_grpc_on": partial(_policies, RETRY_GRPC_ON),
    "retriable_status_codes": _status_codes,
    "retriable_header_names": _header_names,
    "hedge_on_per_try_timeout": _flag,
    "upstream_alt_stat_name": check_header_value,
    "timeout_alt_response": _flag,
    "stream_duration": _seconds,
    "decorator_operation": check_header_value,
    "force_trace": _flag,
    "client_trace_id": check_header_value,
    "original_dst_host": _ip_port,
}
"""How each field is checked, by its name: takes the name and a value, and returns what is stored."""
