"""Compares how long a server takes to stop with how long it is left to live."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from ..._addressing.environment import Environment
from ..._serving.options import DEFAULT_GRACE
from ..envoy.configuration.snapshot import Snapshot
from ..envoy.values import mapping, seconds, text, texts
from ..finding import Finding, problem
from .pod import in_kubernetes

_HOW = (
    "give it as --grace: kubectl get pod NAME -o jsonpath='{.spec.terminationGracePeriodSeconds}' "
    "(the downward API does not offer it)"
)
_CLASSIC_DRAIN = 5.0
"""Seconds: Istio's default of `terminationDrainDuration`."""


def check_grace(
    period: float | None, environment: Environment, snapshot: Snapshot | None
) -> Iterator[Finding]:
    """Reports what would be cut off when the pod is told to end.

    Args:
        period: seconds, the pod's `terminationGracePeriodSeconds`; None if it is not known.
        environment: of this process, which is taken for the server's.
        snapshot: the sidecar's configuration; None if it is not known.
    """
    drain = environment.drain
    total = drain + DEFAULT_GRACE
    origin = "DUBBO_MESH_DRAIN" if os.environ.get("DUBBO_MESH_DRAIN") else "default"
    takes = (
        f"drain {drain:g} s ({origin}) + grace {DEFAULT_GRACE:g} s (default; what the server's "
        f"code says is not visible from outside) = {total:g} s"
    )
    if period is None and in_kubernetes():
        yield Finding("grace", "skipped", f"{takes}: terminationGracePeriodSeconds is not known", _HOW)
    elif period is None:
        yield Finding("grace", "skipped", f"{takes}: nothing says that this process is in a pod (--grace)")
    elif period <= drain:
        killed = f"{takes}, but the pod is killed after {period:g} s, before running calls get their grace"
        yield problem("DM431", killed, remedy=_raise_to(total, period))
    elif period <= total:
        killed = f"{takes}, but the pod is killed after {period:g} s"
        yield problem("DM430", killed, remedy=_raise_to(total, period))
    else:
        yield Finding("grace", "ok", f"{takes}, and the pod is killed after {period:g} s")
    if snapshot is not None:
        yield from _check_sidecar(snapshot, total)


def _raise_to(total: float, period: float) -> str:
    emitted = "emit=kubernetes sets it to drain + grace + 10 s (kubernetes/<app>/deployment.yaml)"
    other = f"or lower grace= of the server or DUBBO_MESH_DRAIN, so that both are less than {period:g} s"
    return f"set terminationGracePeriodSeconds to {total + 5:g} or more: {emitted}; {other}"


def _check_sidecar(snapshot: Snapshot, total: float) -> Iterator[Finding]:
    """A classic sidecar of Istio's is told to end when the application is, and waits for a fixed time.

    A native one (Istio's default since 1.27) ends after the application; other Envoys do not say what ends
    them. Facts: pilot-agent's `Agent.terminate`, and the injector's status annotation.
    """
    config = mapping(snapshot.bootstrap, "node", "metadata", "PROXY_CONFIG")
    if not _is_classic(snapshot):
        return
    if text(config, "proxyMetadata", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS") == "true":
        seen = "the sidecar ends when its last connection has (EXIT_ON_ZERO_ACTIVE_CONNECTIONS)"
        yield Finding("grace", "ok", seen)
        return
    given = seconds(config, "terminationDrainDuration")
    drains = _CLASSIC_DRAIN if given is None else given
    origin = "default" if given is None else "terminationDrainDuration"
    if drains < total:
        seen = (
            f"the sidecar ends {drains:g} s ({origin}) after the pod is told to, and the server needs up to "
            f"{total:g} s: what it still answers, and calls, is cut off"
        )
        yield problem("DM432", seen)
    else:
        yield Finding("grace", "ok", f"the sidecar goes on for {drains:g} s ({origin})")


def _is_classic(snapshot: Snapshot) -> bool:
    """Whether Istio's injector has added the sidecar as an ordinary container."""
    annotations = mapping(snapshot.bootstrap, "node", "metadata", "ANNOTATIONS")
    try:
        status: object = json.loads(text(annotations, "sidecar.istio.io/status"))
    except (ValueError, RecursionError):
        return False
    return "istio-proxy" in texts(status, "containers")
