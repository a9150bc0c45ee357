"""How comments and messages tell of several things on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..policy.model import Labels, RpcPolicy
    from ..policy.provenance import Origin

_MOST_SOURCES = 5


def shortened(texts: Sequence[str], most: int = 1) -> str:
    """The first of some texts, and how many follow: `a and 2 more`.

    Args:
        texts: at least one.
        most: how many are shown.
    """
    shown = ", ".join(texts[:most])
    return f"{shown} and {len(texts) - most} more" if len(texts) > most else shown


def sources(names: Iterable[str]) -> str:
    """The files that something is generated from, for the first line of a file."""
    return shortened(sorted(set(names)), _MOST_SOURCES)


def origins(found: Iterable[Origin]) -> str:
    """Where a value was set, by one or several: `greeter.proto:15 (option) and 2 more`."""
    return shortened([*dict.fromkeys(map(str, found))])


def labels(found: Labels) -> str:
    """Labels of pods: `track=fast, version=v1`."""
    return ", ".join(f"{key}={value}" for key, value in found)


def rpcs(found: Sequence[RpcPolicy]) -> str:
    """The rpcs that something concerns: `rpc demo.Greeter.SayHello and 2 more`."""
    return shortened([f"rpc {rpc.full_name}" for rpc in found])
