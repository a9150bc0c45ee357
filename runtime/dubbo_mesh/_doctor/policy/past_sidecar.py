"""Rpcs that are called past any sidecar: directly, or by grpc's own xDS client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..._addressing.environment import Environment
from ..addressing.dialling import Dialled
from ..envoy.retries import Retries, retries
from ..envoy.routes import NO_RETRIES
from ..finding import Finding, problem
from .asked import Asked, asked
from .wording import duration, times


def check_past_sidecar(
    dialled: Dialled, environment: Environment, others: Iterable[tuple[str, str]] = ()
) -> Iterator[Finding]:
    """What happens to the rpcs of a service that no sidecar sees; nothing if one does."""
    way, service = dialled.dial.way, dialled.subject.service
    if service is None or way == "sidecar":
        return
    others = tuple(others)
    for method in service.methods.values():
        call = asked(dialled, method, environment, others)
        name = call.name
        limit = "no timeout" if call.deadline is None else f"{duration(call.deadline)} (its deadline)"
        wanted = _wanted(call)
        if way == "proxyless":
            seen = f"{name}: {limit}, or less if the control plane says so; retries are the control plane's"
        else:
            seen = f"{name}: {limit}, no retries: it is dialled directly"
        yield Finding("rpc", "ok", seen, subject=name)
        if wanted is not None and wanted.happen:
            tried = f"{name}: asked for {times(wanted.most)} on {', '.join(wanted.on)}, but"
            if way == "proxyless":
                yield problem("DM337", f"{tried} grpc ignores x-envoy-… headers", subject=name)
            else:
                yield problem("DM336", f"{tried} its provider is dialled directly", subject=name)


def _wanted(call: Asked) -> Retries | None:
    """What the stub would ask a sidecar for."""
    headers = {**call.request.headers, **dict(call.method.envoy.to_metadata())}
    request = replace(call.request, headers=headers)
    return retries(NO_RETRIES, "default", request, request, hedges=False)
