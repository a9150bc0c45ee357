"""The content of a config file: what applies to which service and method."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..errors import GenerationError
from .model import NO_POLICY, CallPolicy, Identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .config_file import Key, Source

T = TypeVar("T")


class Entry(NamedTuple):
    """What is configured under one name or glob of services.

    Attributes:
        identity: where they are found.
        aliases: the kinds of aliases of their rpcs; None means unset.
        defaults: for all of their methods.
        methods: for methods, by name or glob.
    """

    identity: Identity
    aliases: tuple[str, ...] | None
    defaults: CallPolicy
    methods: Mapping[str, CallPolicy]


class Config(NamedTuple):
    """A config, checked as far as that goes without knowing the services."""

    entries: Mapping[str, Entry]
    partial: bool
    source: Source

    def identity(self, service: str) -> Identity:
        """Where the provider of `service` (its full name) is found."""
        identity = Identity()
        for _, entry in matching(self.entries, service):
            identity = identity.with_defaults(entry.identity)
        return identity

    def aliases(self, service: str) -> tuple[str, ...] | None:
        """The kinds of aliases that the rpcs of `service` have; None means unset."""
        entries = (entry for _, entry in matching(self.entries, service))
        return next((entry.aliases for entry in entries if entry.aliases is not None), None)

    def call_policy(self, service: str, method: str) -> CallPolicy:
        """How a method is called, with its service's `defaults`."""
        merged = NO_POLICY
        for _, policy in self._call_policies(service, method):
            merged = merged.with_defaults(policy)
        return merged

    def where(self, service: str, method: str, field: str) -> str:
        """`file:line` of what sets `field` of the method's `call_policy`."""
        for key, policy in self._call_policies(service, method):
            if getattr(policy, field) is not None:
                return self.source.where((*key, field))
        return self.source.path

    def _call_policies(self, service: str, method: str) -> Iterator[tuple[Key, CallPolicy]]:
        """What applies to a method, by precedence, each with its key in the file."""
        entries = matching(self.entries, service)
        for pattern, entry in entries:
            for method_pattern, policy in matching(entry.methods, method):
                yield ("services", pattern, "methods", method_pattern), policy
        for pattern, entry in entries:
            yield ("services", pattern, "defaults"), entry.defaults

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
            found = [name for name in services if matches(pattern, name)]
            if not found:
                raise self._unmatched(f"no service {pattern!r} is", ("services", pattern))
            methods = {method for name in found for method in services[name]}
            for method in entry.methods:
                if not any(matches(method, name) for name in methods):
                    raise self._unmatched(
                        f"no method {method!r} of {pattern!r} is", ("services", pattern, "methods", method)
                    )

    def _unmatched(self, what: str, key: Key) -> GenerationError:
        return GenerationError(
            f"{what} in the files of this run; correct the name, or set `partial = true` at the top "
            "of the config if one run sees only a part of the files (as with buf's strategy: directory)",
            self.source.where(key),
        )


def matches(pattern: str, name: str) -> bool:
    """Whether `pattern`, an exact name or a glob, matches `name`."""
    return pattern == name or fnmatchcase(name, pattern)


def matching(entries: Mapping[str, T], name: str) -> list[tuple[str, T]]:
    """The entries that match `name`, by precedence: an exact one, then globs, the longest first."""
    patterns = [pattern for pattern in entries if matches(pattern, name)]
    patterns.sort(key=lambda pattern: (pattern != name, -len(pattern), pattern))
    return [(pattern, entries[pattern]) for pattern in patterns]
