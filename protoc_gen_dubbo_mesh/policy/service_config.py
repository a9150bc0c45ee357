"""`service_config=FILE`: a gRPC service config (JSON), whose timeouts and retries become Envoy's.

The format: `grpc/service_config/service_config.proto` in grpc-proto, in protobuf's JSON form. What Envoy's
headers cannot express is warned of, once for each kind of thing, and never dropped silently.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from ..errors import GenerationError
from .model import NO_POLICY, CallPolicy, Retry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The codes that Envoy retries on (x-envoy-retry-grpc-on), by gRPC's numbers and names.
_RETRIABLE = {
    1: "cancelled",
    4: "deadline-exceeded",
    8: "resource-exhausted",
    13: "internal",
    14: "unavailable",
}
_CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)

_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]{1,9})?)s")

Name = tuple[str, str]  # service and method; "" for all


class ServiceConfig(NamedTuple):
    """A gRPC service config.

    Attributes:
        methods: policies by name: of one method, of all methods of a service, or (with empty names) of all.
        warnings: what Envoy's headers cannot express, a line each.
        path: the file's path.
    """

    methods: Mapping[Name, CallPolicy]
    warnings: tuple[str, ...]
    path: str

    def call_policy(self, service: str, method: str) -> CallPolicy:
        """How a method is called: by the most specific entry alone, which is gRPC's rule."""
        for name in ((service, method), (service, ""), ("", "")):
            if name in self.methods:
                return self.methods[name]
        return NO_POLICY

    def unmatched(self, services: Mapping[str, Iterable[str]]) -> list[str]:
        """A warning for each name that matches nothing in `services` (full names, with their methods)."""
        return [
            f"{self.path}: no {service}{'/' if method else ''}{method} in the files of this run"
            for service, method in self.methods
            if service and (service not in services or (method and method not in services[service]))
        ]


def read(path: str) -> ServiceConfig:
    """Reads a gRPC service config.

    Raises:
        GenerationError: it cannot be read, is not JSON, or is not a service config.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise GenerationError(f"not JSON: {error.msg}", f"{path}:{error.lineno}") from error
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise GenerationError(f"parameter service_config={path!r} cannot be read: {reason}") from error
    return _Reader(path).config(content)


class _Reader:
    """Turns the JSON into a `ServiceConfig`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lost: dict[str, int] = {}

    def config(self, content: object) -> ServiceConfig:
        top = self._object("the service config", content)
        methods: dict[Name, CallPolicy] = {}
        for index, entry in enumerate(self._list("methodConfig", top.pop("methodConfig", []))):
            at = f"methodConfig[{index}]"
            method_config = self._object(at, entry)
            names = self._list(f"{at}.name", method_config.pop("name", []))
            policy = self._call_policy(at, method_config)
            for name in names:
                key = self._name(f"{at}.name", name)
                if key in methods:
                    raise self._wrong(f"{at}.name", f"repeats {'/'.join(key) or 'the default'}")
                methods[key] = policy
        for field in top:
            self._lose(field)
        return ServiceConfig(methods, self._warnings(), self._path)

    def _call_policy(self, at: str, entry: dict[str, Any]) -> CallPolicy:
        timeout = entry.pop("timeout", None)
        retry = entry.pop("retryPolicy", None)
        for key in entry:
            self._lose(f"methodConfig.{key}")
        policy = CallPolicy(
            timeout=None if timeout is None else self._seconds(f"{at}.timeout", timeout),
            retry=None if retry is None else self._retry(f"{at}.retryPolicy", retry),
        )
        try:
            policy.envoy_headers(idempotent=False)
        except ValueError as error:
            raise self._wrong(at, str(error)) from error
        return policy

    def _retry(self, at: str, value: object) -> Retry | None:
        policy = self._object(at, value)
        attempts = policy.pop("maxAttempts", None)
        if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 2:
            raise self._wrong(f"{at}.maxAttempts", f"must be an integer of at least 2, not {attempts!r}")
        codes = self._list(f"{at}.retryableStatusCodes", policy.pop("retryableStatusCodes", []))
        numbers = [self._code(f"{at}.retryableStatusCodes", code) for code in codes]
        if not numbers:
            raise self._wrong(f"{at}.retryableStatusCodes", "must not be empty")
        for number in numbers:
            if number not in _RETRIABLE:
                self._lose(f"methodConfig.retryPolicy.retryableStatusCodes {_CODES[number]}")
        for key in policy:
            self._lose(f"methodConfig.retryPolicy.{key}")
        grpc_on = tuple(_RETRIABLE[number] for number in numbers if number in _RETRIABLE)
        # If Envoy knows none of the codes there is nothing to retry on: no other condition was asked for.
        return Retry(attempts=attempts, grpc_on=grpc_on) if grpc_on else None

    def _code(self, at: str, code: object) -> int:
        if isinstance(code, str) and code in _CODES:
            return _CODES.index(code)
        if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < len(_CODES):
            return code
        raise self._wrong(at, f"holds {code!r}, which is not a gRPC status code")

    def _name(self, at: str, value: object) -> Name:
        name = self._object(at, value)
        service, method = name.get("service", ""), name.get("method", "")
        if not isinstance(service, str) or not isinstance(method, str):
            raise self._wrong(at, "holds a service or method that is not a string")
        if method and not service:
            raise self._wrong(at, f"has the method {method!r} without a service")
        return service, method

    def _seconds(self, at: str, value: object) -> float:
        match = _SECONDS.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise self._wrong(at, f'must be a duration like "1.5s", not {value!r}')
        return float(match[1])

    def _object(self, at: str, value: object) -> dict[str, Any]:
        if not _is_object(value):
            raise self._wrong(at, "must be a JSON object")
        return dict(value)

    def _list(self, at: str, value: object) -> list[Any]:
        if not _is_list(value):
            raise self._wrong(at, "must be a JSON array")
        return value

    def _lose(self, what: str) -> None:
        self._lost[what] = self._lost.get(what, 0) + 1

    def _warnings(self) -> tuple[str, ...]:
        return tuple(
            f"{self._path}: {what} ({times}x) cannot be expressed in Envoy's headers: not applied"
            for what, times in self._lost.items()
        )

    def _wrong(self, at: str, what: str) -> GenerationError:
        return GenerationError(f"{at} {what}", self._path)


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
