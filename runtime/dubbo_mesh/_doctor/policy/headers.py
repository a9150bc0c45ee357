"""Checks whether the sidecar obeys the timeout and retry headers of this process's calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..envoy.entering.arrival import ROUTER_HEADERS
from ..envoy.entering.meddling import meddling
from ..envoy.entering.trust import Cause, Trust
from ..finding import Finding, problem
from ..sidecar.passage import Entrance

_PROBLEMS: Mapping[Cause, str] = {
    Cause.NO_INTERNAL_ADDRESSES: "DM301",
    Cause.NOT_IN_RANGES: "DM302",
    Cause.FORWARDED_FOR: "DM303",
    Cause.NO_FORWARDED_FOR: "DM304",
    Cause.FORWARDED_NOT_IN_RANGES: "DM340",
    Cause.SEVERAL_ADDRESSES: "DM341",
    Cause.NO_ADDRESS: "DM342",
    Cause.TRUSTED_HOPS: "DM343",
    Cause.UNTRUSTED_PROXY: "DM344",
}


def check_headers(entrance: Entrance, name: str = "") -> Iterator[Finding]:
    """Judges the connection manager that calls meet, and its filters before the router.

    Args:
        entrance: where calls enter the sidecar.
        name: of what is called; empty if that is not known.
    """
    yield _judged(entrance, name)
    yield from _check_filters(entrance, name)


def _judged(entrance: Entrance, name: str) -> Finding:
    trust, listener = entrance.trust, entrance.listener.name
    if trust.cause is Cause.UNKNOWN:
        why = trust.why or "the address that calls come from is not known"
        seen = f"it cannot be known whether listener {listener} obeys timeout and retry headers: {why}"
        return Finding("headers", "skipped", seen, subject=name)
    if trust.cause is Cause.INTERNAL:
        return Finding("headers", "ok", f"listener {listener} obeys timeout and retry headers", subject=name)
    seen = f"listener {listener} drops timeout and retry headers: {trust.cause.value}{_detail(trust)}"
    return problem(_PROBLEMS[trust.cause], seen, subject=name)


def _detail(trust: Trust) -> str:
    ranges = ", ".join(trust.ranges)
    if trust.cause in (Cause.NOT_IN_RANGES, Cause.FORWARDED_NOT_IN_RANGES):
        return f": {trust.address} is not in {ranges}"
    if trust.address is not None:
        return f": {trust.address}"
    return f" ({ranges} would count)" if trust.cause is Cause.NO_FORWARDED_FOR else ""


def _check_filters(entrance: Entrance, name: str) -> Iterator[Finding]:
    """Reports filters that change the headers that calls ask by, or may do so."""
    where = f"of listener {entrance.listener.name}"
    possible: list[str] = []
    for each in meddling(entrance.manager.message):
        if each.headers is None:
            possible.append(each.name)
        elif changed := sorted(ROUTER_HEADERS.intersection(each.headers)):
            seen = f"filter {each.name} {where} changes {', '.join(changed)}"
            yield problem("DM347", seen, subject=name)
    if possible:
        yield problem("DM346", f"{', '.join(possible)} {where} may change any header", subject=name)
