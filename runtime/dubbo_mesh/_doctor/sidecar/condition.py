"""Checks the condition of a sidecar as a whole: whether it has started, and has what it is to have."""

from __future__ import annotations

from collections.abc import Iterator

from ..envoy.configuration.snapshot import Snapshot
from ..finding import Finding, problem

TESTED = ((1, 36), (1, 40))
"""The oldest and the newest Envoy that the doctor was held against, as (major, minor).

Its rules are those of 1.40. On 1.36 to 1.39 its tests pass but for what these do not know yet (the header
x-envoy-upstream-stream-duration-ms, retry policies of clusters), and how they match repeated headers.
"""

_MOST = 5
"""Things of one kind that are reported. There may be thousands."""

_LONGEST = 200
"""Characters of what an Envoy says."""

WAITING = {
    "PRE_INITIALIZING": "it waits for its clusters and their hosts",
    "INITIALIZING": "it waits for its listeners, routes or certificates",
}
"""States of a server that is starting, and what it waits for (Envoy's docs: "Initialization")."""


def check_condition(snapshot: Snapshot, name: str) -> Iterator[Finding]:
    """Reports the state of a sidecar, and what it has refused.

    Args:
        snapshot: its configuration.
        name: of the sidecar, such as `the sidecar at 127.0.0.1:15000`.
    """
    if snapshot.state in WAITING:
        yield problem("DM203", f"{name} is {snapshot.state}: {WAITING[snapshot.state]}")
    elif snapshot.state == "DRAINING":
        yield problem("DM223", f"{name} is DRAINING: POST /healthcheck/fail came last")
    elif snapshot.state == "LIVE":
        yield Finding("admin", "ok", f"{name} answers and is ready")
    elif snapshot.state:
        yield problem("DM203", f"{name} is in the state {first_line(snapshot.state)}")
    for kind, named, details in snapshot.refused[:_MOST]:
        what = f"{kind} {named}" if named else f"a {kind}"
        yield problem("DM232", f"{what} was refused: {first_line(details) or 'it does not say why'}")
    if len(snapshot.refused) > _MOST:
        yield problem("DM232", f"{len(snapshot.refused) - _MOST} more were refused")
    yield from _check_updates(snapshot, name)
    yield from _check_version(snapshot, name)


def _check_updates(snapshot: Snapshot, name: str) -> Iterator[Finding]:
    dynamic = snapshot.bootstrap.get("dynamic_resources")
    if snapshot.connected is False and isinstance(dynamic, dict) and dynamic:
        yield problem("DM233", f"{name}: control_plane.connected_state is 0")
    for counter, count in list(snapshot.rejections.items())[:_MOST]:
        times = "once" if count == 1 else f"{count} times"
        yield problem("DM246", f"{name}: {first_line(counter)}.update_rejected: {times}")


def _check_version(snapshot: Snapshot, name: str) -> Iterator[Finding]:
    if snapshot.version is not None and not TESTED[0] <= snapshot.version <= TESTED[1]:
        version, oldest, newest = (f"{major}.{minor}" for major, minor in (snapshot.version, *TESTED))
        yield problem("DM234", f"{name} is Envoy {version}; the doctor knows {oldest} to {newest}")


def first_line(text: str) -> str:
    """The first line of what a peer says, not too long. It is made printable where it is shown."""
    line = text.strip().partition("\n")[0].strip()
    return f"{line[:_LONGEST]}…" if len(line) > _LONGEST else line
