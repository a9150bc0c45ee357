"""A request as an Envoy gets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Beginning(NamedTuple):
    """Stands for a text of which only the beginning is known.

    Attributes:
        text: how it begins; empty if nothing is known.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a gRPC call.

    Attributes:
        authority: its `:authority`.
        path: its `:path`.
        headers: all its headers by their names in lower case, `:authority`, `:path` and `:method` too.
            Values of headers that are repeated are joined by commas, as Envoy joins them.
        unsure: the beginnings of values that differ from request to request, or are not known: they take the
            place of those in `headers`.
        repeated: the values of headers that Envoy compares one by one, as it does since 1.39 with those that
            are sent more than once.
    """

    authority: str
    path: str
    headers: Mapping[str, str]
    unsure: Mapping[str, str] = field(default_factory=dict[str, str])
    repeated: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def values(self, name: str) -> Sequence[str | Beginning]:
        """What a header matcher looks at; nothing if the request does not have the header.

        Args:
            name: the header's name in lower case. Envoy takes `host` for `:authority`.
        """
        if name in (":authority", "host"):
            return (self.authority,)
        if name == ":path":
            return (self.path,)
        if name in self.unsure:
            return (Beginning(self.unsure[name]),)
        if name in self.repeated:
            return self.repeated[name]
        return (self.headers[name],) if name in self.headers else ()
