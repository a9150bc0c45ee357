"""The content of a config file: what applies to which service and method."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..errors import GenerationError
from .model import CALL_FIELDS, CallPolicy, Identity
from .provenance import Layer, Origin, field_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .toml_lines import Key, TomlFile

T = TypeVar("T")


class Entry(NamedTuple):
    """What is configured under one name or glob of services.

    Attributes:
        identity: where the provider of these services is found.
        defaults: the call policy of all methods, unless `methods` sets it.
        methods: the call policies of methods, by name or glob.
    """

    identity: Identity
    defaults: CallPolicy
    methods: Mapping[str, CallPolicy]


class Table(NamedTuple):
    """A table of the file, as a `Place`.

    Attributes:
        file: the file.
        key: the table's.
    """

    file: TomlFile
    key: Key

    def origin(self, field: str) -> Origin:
        """The line that sets `field`."""
        return Origin("config", self.file.where((*self.key, *field.split("."))))


class Config(NamedTuple):
    """A config, checked as far as that goes without knowing the services.

    Attributes:
        entries: by name or glob of services.
        partial: whether a run may see only a part of the services that the file names.
        strict: whether a service without an app is an error.
        file: the file.
        tables: what it sets for apps and for emitters, as it is in the file, by the names in
            `config_file.TABLES`.
    """

    entries: Mapping[str, Entry]
    partial: bool
    strict: bool
    file: TomlFile
    tables: Mapping[str, Mapping[str, Any]]

    def identity(self, service: str) -> tuple[Layer[Identity], ...]:
        """The layers that set the identity of `service` (its full name), in order of precedence.

        Raises:
            GenerationError: two globs that are equally specific disagree.
        """
        ranked = [
            (rank, Layer(entry.identity, Table(self.file, ("services", pattern))))
            for rank, pattern, entry in _matching(self.entries, service)
        ]
        self._check_agreement(f"service {service}", ranked, Identity._fields)
        return tuple(layer for _, layer in ranked)

    def call_policy(self, service: str, method: str) -> tuple[Layer[CallPolicy], ...]:
        """The layers that set a method's call policy, in order of precedence: its own, then `defaults`.

        Raises:
            GenerationError: two globs that are equally specific disagree.
        """
        entries = _matching(self.entries, service)
        ranked = [
            ((*rank, *method_rank), Layer(policy, Table(self.file, (*key, method_pattern))))
            for rank, pattern, entry in entries
            for key in [("services", pattern, "methods")]
            for method_rank, method_pattern, policy in _matching(entry.methods, method)
        ]
        ranked.sort(key=lambda each: each[0])  # stable; brings the methods of equally ranked globs together
        ranked += [
            (rank, Layer(entry.defaults, Table(self.file, ("services", pattern, "defaults"))))
            for rank, pattern, entry in entries
        ]
        self._check_agreement(f"rpc {service}.{method}", ranked, CALL_FIELDS)
        return tuple(layer for _, layer in ranked)

    def check_names(self, services: Mapping[str, Iterable[str]]) -> None:
        """Checks that each name in the file matches something.

        Args:
            services: the services of this run by their full names, with their methods' names.

        Raises:
            GenerationError: a name or glob matches nothing.
        """
        if self.partial:
            return
        for pattern, entry in self.entries.items():
            found = [name for name in services if _matches(pattern, name)]
            if not found:
                raise self._unmatched(f"no service matches {pattern!r}", ("services", pattern))
            methods = {method for name in found for method in services[name]}
            for method in entry.methods:
                if not any(_matches(method, name) for name in methods):
                    raise self._unmatched(
                        f"no method of {pattern!r} matches {method!r}",
                        ("services", pattern, "methods", method),
                    )

    def _unmatched(self, what: str, key: Key) -> GenerationError:
        return GenerationError(
            f"{what} in the files of this run: correct the name, or set `partial = true` at the top of the "
            "config if one run sees only a part of the files (as with buf's strategy: directory)",
            self.file.where(key),
        )

    def _check_agreement(
        self, subject: str, ranked: Sequence[tuple[_Rank, Layer[Any]]], fields: Iterable[str]
    ) -> None:
        """Checks that equally specific tables do not set a field to different values."""
        if len({rank for rank, _ in ranked}) == len(ranked):
            return
        decided: set[str] = set()
        for _, group in groupby(ranked, key=lambda each: each[0]):
            layers = [layer for _, layer in group]
            for field in fields:
                if field in decided:
                    continue
                setting = [layer for layer in layers if field_of(layer.values, field) is not None]
                for other in setting[1:]:
                    if field_of(other.values, field) != field_of(setting[0].values, field):
                        raise self._disagreement(subject, field, setting[0], other)
                if setting:
                    decided.add(field)

    def _disagreement(self, subject: str, field: str, one: Layer[Any], other: Layer[Any]) -> GenerationError:
        first, second = field_of(one.values, field), field_of(other.values, field)
        at, also_at = one.place.origin(field).where, other.place.origin(field).where
        return GenerationError(
            f"{field} of {subject} is {first!r} here and {second!r} in {also_at}: both globs match it and "
            "have the same length, so neither takes precedence: set it under the exact name or one glob",
            at,
        )


_Rank = tuple[bool | int, ...]


def _matches(pattern: str, name: str) -> bool:
    """Whether `pattern`, an exact name or a glob, matches `name`."""
    return pattern == name or fnmatchcase(name, pattern)


def _matching(entries: Mapping[str, T], name: str) -> list[tuple[_Rank, str, T]]:
    """The entries that match `name`, each with its rank: an exact one comes first, then the longest glob."""
    found = [
        ((pattern != name, -len(pattern)), pattern, entry)
        for pattern, entry in entries.items()
        if _matches(pattern, name)
    ]
    return sorted(found, key=lambda each: each[:2])
