"""Durations as Kubernetes' APIs spell them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..policy.model import Duration

_UNITS = ((3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms"))


def kubernetes(duration: Duration) -> str:
    """A duration in the format of GEP-2257, which Istio, Go and the Gateway API read: `1s500ms`.

    It is in whole milliseconds, rounded up, as Envoy's headers are.
    """
    left = math.ceil(round(duration * 1000, 6))
    if not left:
        return "0s"
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def protobuf(duration: Duration) -> str:
    """A duration in the JSON format of `google.protobuf.Duration`, which Envoy reads: `1.500s`."""
    milliseconds = math.ceil(round(duration * 1000, 6))
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds}.{rest:03}s" if rest else f"{seconds}s"


def is_whole_milliseconds(duration: Duration) -> bool:
    """Whether a duration can be written in milliseconds, as Istio and the Gateway API have it."""
    milliseconds = round(duration * 1000, 6)
    return milliseconds == int(milliseconds)
