"""The mark on the responses of a draining server: `x-envoy-immediate-health-check-fail`.

An Envoy that checks a host's health actively takes the host out at the first response with that header,
whichever call it answers: that takes no sidecar's admin endpoint (Envoy's documentation: "Health checking",
HTTP health checking filter). Envoy reads it from the response's headers: from the initial metadata, or from
the status where a response is a status alone.
"""

from __future__ import annotations

from collections.abc import Iterable

LEAVING = ("x-envoy-immediate-health-check-fail", "true")
"""The header, as metadata."""


def marked(metadata: Iterable[tuple[str, str | bytes]] | None) -> tuple[tuple[str, str | bytes], ...]:
    """`metadata` with the mark at its end, once."""
    pairs = tuple(metadata or ())
    return pairs if LEAVING in pairs else (*pairs, LEAVING)
