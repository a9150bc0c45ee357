"""Rpcs that are called past any sidecar: directly, or by grpc's own xDS client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..._addressing.environment import Environment
from ..addressing.dialling import Dialled
from ..finding import Finding
from .asked import Asked, asked
from .proxyless import check_proxyless, headers_ignored
from .sentence import deadline_said


def check_past_sidecar(
    dialled: Dialled, environment: Environment, others: Sequence[tuple[str, str]]
) -> Iterator[Finding]:
    """What happens to the rpcs of a service that no sidecar sees; nothing if one does."""
    way, service = dialled.dial.way, dialled.subject.service
    if service is None or way == "sidecar":
        return
    for method in service.methods.values():
        call = asked(dialled, method, environment, others)
        if way == "proxyless":
            yield from check_proxyless(dialled, call)
        else:
            yield from _check_direct(call)


def _check_direct(call: Asked) -> Iterator[Finding]:
    seen = f"{call.name}: {deadline_said(call)}, no retries: it is dialled directly"
    yield Finding("rpc", "ok", seen, subject=call.name)
    yield from headers_ignored(call, None, "its provider is dialled directly", "DM336")
