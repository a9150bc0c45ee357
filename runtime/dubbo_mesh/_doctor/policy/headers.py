"""Checks whether the sidecar obeys the timeout and retry headers of this process's calls."""

from __future__ import annotations

from ..envoy.trust import Cause
from ..finding import Finding, problem
from ..sidecar.passage import Entrance

_PROBLEMS = {
    Cause.NO_INTERNAL_ADDRESSES: "DM301",
    Cause.NOT_IN_RANGES: "DM302",
    Cause.FORWARDED_FOR: "DM303",
    Cause.NO_FORWARDED_FOR: "DM304",
}


def check_headers(entrance: Entrance, name: str = "") -> Finding:
    """Judges the connection manager that calls meet.

    Args:
        entrance: where calls enter the sidecar.
        name: of what is called; empty if that is not known.
    """
    trust, listener = entrance.trust, entrance.listener.name
    if trust.cause in _PROBLEMS:
        remedy = None
        seen = f"listener {listener} drops timeout and retry headers: {trust.cause.value}"
        if trust.cause is Cause.NOT_IN_RANGES:
            seen = f"{seen}: {trust.address} is not in {', '.join(trust.ranges)}"
            if trust.forwarded:
                remedy = "set DUBBO_MESH_FORWARDED_FOR to an address that is, or add this one"
        return problem(_PROBLEMS[trust.cause], seen, remedy=remedy, subject=name)
    if trust.cause is Cause.UNKNOWN:
        return Finding("headers", "skipped", "the address that calls come from is not known", subject=name)
    return Finding("headers", "ok", f"listener {listener} obeys timeout and retry headers", subject=name)
