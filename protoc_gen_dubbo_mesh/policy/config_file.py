"""`config=FILE`: TOML that configures where services are found and how their methods are called.

    [services."org.apache.dubbo.demo.*"]       # an exact name or a glob (fnmatch, case-sensitive)
    app = "demo"
    port = 50051
    labels = { version = "v1" }                 # of the app's pods; {} removes what is set elsewhere
    aliases = ["lower-first"]                   # [] removes what the proto or a parameter asks for
    defaults = { timeout = "3s" }               # for every method

    [services."org.apache.dubbo.demo.Greeter".methods.sayHello]
    timeout = 1.5                               # seconds, or "500ms", "3s", "2m", "1h"
    retry = { attempts = 3, grpc_on = ["unavailable"] }

Field by field, an exact name takes precedence over a glob, a longer glob over a shorter one, and a method's
own entry over any `defaults`. Globs of the same length must not set a field of one service or method to
different values. A name that nothing matches is an error, unless `partial = true` is set at the top. With
`strict = true` there, a service without an app is an error, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from ..errors import GenerationError
from . import aliases, envoy_headers, files, labels
from .config import Config, Entry
from .model import CallPolicy, Identity, Retry
from .toml_lines import TomlFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Labels
    from .toml_lines import Key

T = TypeVar("T")

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_IDENTITY = {
    "app": "text",
    "namespace": "text",
    "port": "whole",
    "version": "text",
    "group": "text",
    "labels": "labels",
    "aliases": "aliases",
}
_CALL_POLICY = {
    "timeout": "duration",
    "per_try_timeout": "duration",
    "retry": "retry",
    "inherit_timeout": "flag",
    "hedge_on_per_try_timeout": "flag",
    "upstream_alt_stat_name": "text",
    "timeout_alt_response": "flag",
    "stream_duration": "duration",
    "decorator_operation": "text",
}
_RETRY = {
    "attempts": "whole",
    "grpc_on": "conditions",
    "on": "conditions",
    "status_codes": "wholes",
    "header_names": "texts",
}


def read(path: str) -> Config:
    """Reads a config.

    Raises:
        GenerationError: it cannot be read, is not TOML, or holds an unknown key or an invalid value.
    """
    file = TomlFile(path, files.read("config", path))
    return _Reader(file).config(file.content())


class _Reader:
    """Turns the content of the file into a `Config`; unknown keys and invalid values are errors."""

    def __init__(self, file: TomlFile) -> None:
        self._file = file

    def config(self, content: dict[str, Any]) -> Config:
        table = self._table((), content, {"services", "partial", "strict"})
        services = self._table(("services",), table.get("services", {}))
        return Config(
            entries={name: self._entry(("services", name), entry) for name, entry in services.items()},
            partial=self._value(("partial",), "flag", table.get("partial", False)),
            strict=self._value(("strict",), "flag", table.get("strict", False)),
            file=self._file,
        )

    def _entry(self, key: Key, content: object) -> Entry:
        table = self._table(key, content, {*_IDENTITY, "defaults", "methods"})
        identity = Identity(
            **{
                name: self._value((*key, name), kind, table[name])
                for name, kind in _IDENTITY.items()
                if name in table
            }
        )
        for name, value in identity._asdict().items():
            if value is not None:
                self._check((*key, name), Identity(**{name: value}).checked)
        methods = self._table((*key, "methods"), table.get("methods", {}))
        return Entry(
            identity,
            self._call_policy((*key, "defaults"), table.get("defaults", {})),
            {name: self._call_policy((*key, "methods", name), value) for name, value in methods.items()},
        )

    def _aliases(self, key: Key, value: object) -> tuple[str, ...]:
        if not _is_list(value) or not all(isinstance(kind, str) for kind in value):
            raise self._wrong(key, f"must be a list of strings, not {value!r}")
        return self._check(key, lambda: aliases.checked(value, _dotted(key)))

    def _labels(self, key: Key, value: object) -> Labels:
        if not _is_table(value) or not all(isinstance(each, str) for each in value.values()):
            raise self._wrong(key, f"must be a table of strings, not {value!r}")
        return self._check(key, lambda: labels.checked(value, _dotted(key)))

    def _call_policy(self, key: Key, content: object) -> CallPolicy:
        table = self._table(key, content, set(_CALL_POLICY))
        policy = CallPolicy(
            **{name: self._value((*key, name), _CALL_POLICY[name], value) for name, value in table.items()}
        )
        try:
            envoy_headers.check(policy)
        except envoy_headers.PolicyError as error:
            at = self._file.where((*key, *error.field.split(".")))
            raise GenerationError(f"{_dotted(key)}: {error}", at) from error
        return policy

    def _retry(self, key: Key, content: object) -> Retry:
        table = self._table(key, content, set(_RETRY))
        return Retry(
            **{name: self._value((*key, name), _RETRY[name], value) for name, value in table.items()}
        )

    def _value(self, key: Key, kind: str, value: Any) -> Any:
        readers: dict[str, Callable[[Key, object], Any]] = {
            "retry": self._retry,
            "duration": self._duration,
            "labels": self._labels,
            "aliases": self._aliases,
        }
        if kind in readers:
            return readers[kind](key, value)
        if kind == "text" and isinstance(value, str):
            return value
        if kind == "flag" and isinstance(value, bool):
            return value
        if kind == "whole" and _is_whole(value):
            return value
        if _is_list(value) and value:
            if kind == "wholes" and all(map(_is_whole, value)):
                return tuple(value)
            if kind == "texts" and all(isinstance(item, str) for item in value):
                return tuple(value)
            if kind == "conditions" and all(isinstance(item, str) for item in value):
                return tuple(item.lower().replace("_", "-") for item in value)
        raise self._wrong(key, f"must be {_KINDS[kind]}, not {value!r}")

    def _duration(self, key: Key, value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(value)
        if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
            return float(match[1]) * _SECONDS[match[2]]
        raise self._wrong(key, f'must be a duration: seconds, or "500ms", "3s", "2m", "1h", not {value!r}')

    def _table(self, key: Key, content: object, known: set[str] | None = None) -> dict[str, Any]:
        if not _is_table(content):
            raise self._wrong(key, f"must be a table, not {content!r}")
        for name in content:
            if known is not None and name not in known:
                raise GenerationError(
                    f"unknown key {_dotted((*key, name))}: must be one of {', '.join(sorted(known))}",
                    self._file.where((*key, name)),
                )
        return content

    def _check(self, key: Key, check: Callable[[], T]) -> T:
        try:
            return check()
        except ValueError as error:
            raise GenerationError(str(error), self._file.where(key)) from error

    def _wrong(self, key: Key, what: str) -> GenerationError:
        return GenerationError(f"{_dotted(key)} {what}", self._file.where(key))


_KINDS = {
    "text": "a string",
    "flag": "true or false",
    "whole": "an integer of at least 0",
    "wholes": "a non-empty list of integers",
    "texts": "a non-empty list of strings",
    "conditions": "a non-empty list of names of Envoy's retry conditions",
}


def _is_table(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _dotted(key: Key) -> str:
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in key)
