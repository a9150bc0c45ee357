"""Reads the sidecar's configuration from its admin endpoint. Only asks, and never changes anything."""

from __future__ import annotations

from collections.abc import Iterator

from ..._addressing.environment import Environment
from ..._sidecar.admin import Sidecar
from ..budget import Budget
from ..envoy.snapshot import Snapshot
from ..finding import Finding, problem
from .asking import ask
from .parsing import parsed


def check_sidecar(environment: Environment, budget: Budget) -> Iterator[Finding | Snapshot]:
    """Reports whether there is a sidecar and whether it is ready; yields its configuration as well."""
    if environment.mode != "sidecar" or environment.admin is None:
        why = "DUBBO_MESH_ADMIN is off" if environment.admin is None else f"the mode is {environment.mode}"
        yield Finding("admin", "skipped", why)
        yield Finding("headers", "skipped", "there is no sidecar whose configuration could be read")
        return
    snapshot = Snapshot()
    try:
        snapshot.add(_read(environment.admin, "/config_dump", budget))
        snapshot.add(_read(environment.admin, "/clusters?format=json", budget))
    except (OSError, ValueError) as error:
        yield problem("DM201", f"{environment.admin}: {getattr(error, 'strerror', None) or error}")
        yield Finding("headers", "skipped", "the sidecar's configuration cannot be read")
        return
    if Sidecar(environment.admin, timeout=budget.left(2.0)).ready():
        yield Finding("admin", "ok", f"the sidecar answers at {environment.admin}, and is ready")
    else:
        yield problem("DM203", f"the sidecar at {environment.admin} is not ready")
    yield snapshot


def _read(admin: str, path: str, budget: Budget) -> object:
    answer = ask(admin, path, budget)
    if answer.status != 200:
        raise ValueError(f"status {answer.status}")
    return parsed(answer.body)
