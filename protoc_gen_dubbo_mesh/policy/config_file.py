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

from typing import TYPE_CHECKING, Any

from ..errors import GenerationError
from . import aliases, envoy_headers, files, labels
from .config import Config, Entry
from .model import CallPolicy, Identity, Retry
from .toml_lines import TomlFile
from .toml_values import TomlValues, dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .model import Labels
    from .toml_lines import Key

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


TABLES = ("apps", "kubernetes", "istio", "envoy")
"""The tables that configure what is written beside Python; `mesh/` and the emitters read them."""


def read(path: str) -> Config:
    """Reads a config.

    Raises:
        GenerationError: it cannot be read, is not TOML, or holds an unknown key or an invalid value.
    """
    file = TomlFile(path, files.read("config", path))
    return _Reader(TomlValues(file)).config(file.content())


class _Reader:
    """Turns the content of the file into a `Config`; unknown keys and invalid values are errors."""

    def __init__(self, values: TomlValues) -> None:
        self._values = values
        self._readers: Mapping[str, Callable[[Key, object], Any]] = {
            "text": values.text,
            "texts": values.texts,
            "flag": values.flag,
            "whole": values.whole,
            "wholes": values.wholes,
            "conditions": values.conditions,
            "duration": values.duration,
            "retry": self._retry,
            "labels": self._labels,
            "aliases": self._aliases,
        }

    def config(self, content: dict[str, Any]) -> Config:
        values = self._values
        table = values.table((), content, {"services", "partial", "strict", *TABLES})
        services = values.table(("services",), table.get("services", {}))
        return Config(
            entries={name: self._entry(("services", name), entry) for name, entry in services.items()},
            partial=values.flag(("partial",), table.get("partial", False)),
            strict=values.flag(("strict",), table.get("strict", False)),
            file=values.file,
            tables={name: values.table((name,), table.get(name, {})) for name in TABLES},
        )

    def _entry(self, key: Key, content: object) -> Entry:
        table = self._values.table(key, content, {*_IDENTITY, "defaults", "methods"})
        identity = Identity(**self._read(key, _IDENTITY, table))
        for name, value in identity._asdict().items():
            if value is not None:
                self._values.check((*key, name), Identity(**{name: value}).checked)
        methods = self._values.table((*key, "methods"), table.get("methods", {}))
        return Entry(
            identity,
            self._call_policy((*key, "defaults"), table.get("defaults", {})),
            {name: self._call_policy((*key, "methods", name), value) for name, value in methods.items()},
        )

    def _aliases(self, key: Key, value: object) -> tuple[str, ...]:
        kinds = self._values.strings(key, value)
        return self._values.check(key, lambda: aliases.checked(kinds, dotted(key)))

    def _labels(self, key: Key, value: object) -> Labels:
        found = self._values.strings_by_name(key, value)
        return self._values.check(key, lambda: labels.checked(found, dotted(key)))

    def _call_policy(self, key: Key, content: object) -> CallPolicy:
        table = self._values.table(key, content, set(_CALL_POLICY))
        policy = CallPolicy(**self._read(key, _CALL_POLICY, table))
        try:
            envoy_headers.check(policy)
        except envoy_headers.PolicyError as error:
            at = self._values.file.where((*key, *error.field.split(".")))
            raise GenerationError(f"{dotted(key)}: {error}", at) from error
        return policy

    def _retry(self, key: Key, content: object) -> Retry:
        return Retry(**self._read(key, _RETRY, self._values.table(key, content, set(_RETRY))))

    def _read(self, key: Key, kinds: Mapping[str, str], table: Mapping[str, object]) -> dict[str, Any]:
        """The values of `table`, each read as one of its kind."""
        return {
            name: self._readers[kind]((*key, name), table[name])
            for name, kind in kinds.items()
            if name in table
        }
