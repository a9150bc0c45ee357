"""A request as an Envoy gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a gRPC call.

    Attributes:
        authority: its `:authority`.
        path: its `:path`.
        headers: all its headers by their names in lower case, `:authority`, `:path` and `:method` too.
            Values of headers that are repeated are joined by commas, as Envoy joins them.
    """

    authority: str
    path: str
    headers: Mapping[str, str]
