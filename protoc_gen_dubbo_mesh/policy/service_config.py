"""`service_config=FILE`: a gRPC service config (JSON), whose timeouts and retries become Envoy's.

The format: `grpc/service_config/service_config.proto` in grpc-proto, in protobuf's JSON form. Fields that
Envoy's headers cannot express cause a warning, one for each kind; nothing is dropped silently.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from ..errors import GenerationError
from . import envoy_headers, files
from .json_lines import content_of, line_of
from .model import CallPolicy, Retry
from .provenance import Layer, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .json_lines import Key

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


class Entry(NamedTuple):
    """One of `methodConfig`, as a `Place`.

    Attributes:
        path: the file's path.
        text: its content.
        number: the index of the entry, from 0.
    """

    path: str
    text: str
    number: int

    def origin(self, field: str) -> Origin:
        """The line that sets `field`."""
        return Origin("service config", f"{self.path}:{line_of(self.text, self._key(field))}")

    def _key(self, field: str) -> Key:
        return ("methodConfig", self.number, *_NAMES.get(field, (field,)))


_NAMES = {
    "retry.attempts": ("retryPolicy", "maxAttempts"),
    "retry.grpc_on": ("retryPolicy", "retryableStatusCodes"),
}
"""What a gRPC service config calls the fields of a call policy, where that differs."""


class ServiceConfig(NamedTuple):
    """A gRPC service config.

    Attributes:
        methods: policies by name: of one method, of all methods of a service, or (with empty names) of all.
        warnings: what Envoy's headers cannot express, a line each.
        path: the file's path.
    """

    methods: Mapping[Name, Layer[CallPolicy]]
    warnings: tuple[str, ...]
    path: str

    def call_policy(self, service: str, method: str) -> Layer[CallPolicy] | None:
        """How a method is called: by the most specific entry alone, which is gRPC's rule."""
        for name in ((service, method), (service, ""), ("", "")):
            if name in self.methods:
                return self.methods[name]
        return None

    def unmatched(self, services: Mapping[str, Iterable[str]]) -> list[str]:
        """A warning for each name that matches nothing in `services` (full names, with their methods)."""
        return [
            f"{layer.place.origin('name').where}: {_named((service, method))} is not in the files of this "
            "run: correct the name, unless another run has it"
            for (service, method), layer in self.methods.items()
            if service and (service not in services or (method and method not in services[service]))
        ]


def read(path: str) -> ServiceConfig:
    """Reads a gRPC service config.

    Raises:
        GenerationError: it cannot be read, is not JSON, or is not a service config.
    """
    text = files.read("service_config", path)
    return _Reader(path, text).config(content_of(path, text))


class _Reader:
    """Turns the JSON into a `ServiceConfig`."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._dropped: dict[str, list[Key]] = {}

    def config(self, content: object) -> ServiceConfig:
        top = self._object((), content)
        methods: dict[Name, Layer[CallPolicy]] = {}
        for index, entry in enumerate(self._list(("methodConfig",), top.pop("methodConfig", []))):
            at = ("methodConfig", index)
            method_config = self._object(at, entry)
            names = self._list((*at, "name"), method_config.pop("name", []))
            policy = self._call_policy(index, method_config)
            for number, value in enumerate(names):
                name = self._name((*at, "name", number), value)
                if name in methods:
                    raise self._wrong(
                        (*at, "name", number), f"names {_named(name)} a second time: remove one"
                    )
                methods[name] = Layer(policy, Entry(self._path, self._text, index))
        for field in top:
            self._drop(field, (field,))
        return ServiceConfig(methods, self._warnings(), self._path)

    def _call_policy(self, number: int, entry: dict[str, Any]) -> CallPolicy:
        at = ("methodConfig", number)
        timeout = entry.pop("timeout", None)
        retry = entry.pop("retryPolicy", None)
        for field in entry:
            self._drop(f"methodConfig.{field}", (*at, field))
        policy = CallPolicy(
            timeout=None if timeout is None else self._seconds((*at, "timeout"), timeout),
            retry=None if retry is None else self._retry((*at, "retryPolicy"), retry),
        )
        try:
            envoy_headers.check(policy)
        except envoy_headers.PolicyError as error:
            where = Entry(self._path, self._text, number).origin(error.field).where
            raise GenerationError(str(error), where) from error
        return policy

    def _retry(self, at: Key, value: object) -> Retry | None:
        policy = self._object(at, value)
        attempts = policy.pop("maxAttempts", None)
        if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 2:
            raise self._wrong((*at, "maxAttempts"), f"must be an integer of at least 2, not {attempts!r}")
        codes_at = (*at, "retryableStatusCodes")
        codes = self._list(codes_at, policy.pop("retryableStatusCodes", []))
        if not codes:
            raise self._wrong(codes_at, "must not be empty")
        numbers = [self._code((*codes_at, index), code) for index, code in enumerate(codes)]
        for index, number in enumerate(numbers):
            if number not in _RETRIABLE:
                what = f"methodConfig.retryPolicy.retryableStatusCodes {_CODES[number]}"
                self._drop(what, (*codes_at, index))
        for field in policy:
            self._drop(f"methodConfig.retryPolicy.{field}", (*at, field))
        grpc_on = tuple(_RETRIABLE[number] for number in numbers if number in _RETRIABLE)
        # If Envoy can retry none of the codes there is no retry at all, since nothing else was asked for.
        return Retry(attempts=attempts, grpc_on=grpc_on) if grpc_on else None

    def _code(self, at: Key, code: object) -> int:
        """The number of a status code, which is a number or a name in upper or lower case (gRFC A6)."""
        if isinstance(code, str) and code.upper() in _CODES:
            return _CODES.index(code.upper())
        if isinstance(code, int) and not isinstance(code, bool) and 0 <= code < len(_CODES):
            return code
        raise self._wrong(at, f"must be a gRPC status code, not {code!r}")

    def _name(self, at: Key, value: object) -> Name:
        name = self._object(at, value)
        service, method = name.get("service", ""), name.get("method", "")
        if not isinstance(service, str) or not isinstance(method, str):
            raise self._wrong(at, f"must have strings as service and method, not {service!r} and {method!r}")
        if method and not service:
            raise self._wrong(at, f"must have a service, too, not only the method {method!r}")
        return service, method

    def _seconds(self, at: Key, value: object) -> float:
        match = _SECONDS.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise self._wrong(at, f'must be a duration like "1.5s", not {value!r}')
        return float(match[1])

    def _object(self, at: Key, value: object) -> dict[str, Any]:
        if not _is_object(value):
            raise self._wrong(at, f"must be a JSON object, not {value!r}")
        return dict(value)

    def _list(self, at: Key, value: object) -> list[Any]:
        if not _is_list(value):
            raise self._wrong(at, f"must be a JSON array, not {value!r}")
        return value

    def _drop(self, what: str, at: Key) -> None:
        self._dropped.setdefault(what, []).append(at)

    def _warnings(self) -> tuple[str, ...]:
        return tuple(
            f"{self._where(places[0])}: {what} ({len(places)}x) cannot be expressed in Envoy's headers: "
            "not applied"
            for what, places in self._dropped.items()
        )

    def _wrong(self, at: Key, what: str) -> GenerationError:
        return GenerationError(f"{_shown(at)} {what}", self._where(at))

    def _where(self, at: Key) -> str:
        return f"{self._path}:{line_of(self._text, at)}"


def _named(name: Name) -> str:
    """A name for messages."""
    return "/".join(filter(None, name)) or "all services"


def _shown(key: Key) -> str:
    """A key for messages: `methodConfig[0].retryPolicy`."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in key]
    return "".join(steps).removeprefix(".") or "the service config"


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
