"""Whether a server puts up with peers that ping their connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ..addressing.frames import GOAWAY
from ..budget import Budget
from ..envoy.configuration.snapshot import Snapshot
from ..finding import Finding, problem
from .address import Endpoint
from .inbound import Pinging, pinging
from .wire import Wire, is_ping_answer

_PINGS = 6
"""gRPC's servers forgive two that come too early (`grpc.http2.max_ping_strikes`); grpc-go's do the same."""

_ENHANCE_YOUR_CALM = 11
_REMEDY = (
    'create the server with options=[("grpc.http2.max_ping_strikes", 0), '
    '("grpc.http2.min_ping_interval_without_data_ms", 5000)], or serve with dubbo_mesh, which sets them'
)


def check_keepalive(
    server: str, endpoint: Endpoint, snapshot: Snapshot | None, budget: Budget
) -> Iterator[Finding]:
    """Pings a connection of its own a few times, as a peer does that is impatient.

    Args:
        server: the server's address, for messages.
        endpoint: where it is reached.
        snapshot: the sidecar's configuration; None if it is not known.
        budget: the time that is left.
    """
    try:
        ended = _ended_by_pings(endpoint, budget.left(2.0))
    except (OSError, ValueError) as error:
        budget.left()
        yield Finding("keepalive", "skipped", f"{server}: {error or 'no answer'}", subject=server)
        return
    pings = [] if snapshot is None else list(pinging(snapshot, endpoint))
    if ended is None:
        seen = f"{server}: {_PINGS} pings in a row are answered"
        if pings:
            seen = f"{seen}; {_named(pings)}"
        yield Finding("keepalive", "ok", seen, subject=server)
    elif pings:
        seen = f"{server}: closes connections that are pinged ({ended}), and {_named(pings)}"
        yield problem("DM441", seen, remedy=f"{_REMEDY}; or remove connection_keepalive", subject=server)
    else:
        seen = f"{server}: closes a connection after {_PINGS} pings or fewer in a row: {ended}"
        yield problem("DM440", seen, remedy=_REMEDY, subject=server)


def _named(pings: list[Pinging]) -> str:
    return ", ".join(
        f"the sidecar's cluster {each.cluster} pings every {each.interval:g} s" for each in pings
    )


def _ended_by_pings(endpoint: Endpoint, timeout: float) -> str | None:
    """Why the server closes a connection that is pinged; None if it does not.

    Raises:
        OSError: the connection ends otherwise, or there is no answer in time.
        ValueError: the server does not keep to HTTP/2.
    """
    with Wire(endpoint, timeout) as wire:
        for number in range(_PINGS):
            with suppress(OSError):  # closed: what was said before can still be read
                wire.ping(number)
            while not is_ping_answer(frame := wire.receive()):
                if frame.kind == GOAWAY:
                    code, why = int.from_bytes(frame.payload[4:8], "big"), frame.payload[8:]
                    if code != _ENHANCE_YOUR_CALM:
                        raise ConnectionResetError("it is closing its connections")
                    return f"GOAWAY ENHANCE_YOUR_CALM, {why.decode('ascii', 'replace')!r}"
    return None
