"""Checks the environment variables of this process."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..._addressing.environment import Environment, unknown_variables
from ..finding import Finding, problem

_OTHER_VARIABLES = ("POD_NAMESPACE", "CLUSTER_DOMAIN", "POD_IP")


def check_environment(environment: Environment) -> Iterator[Finding]:
    """Reports the mode and the variables that are set, and those that nothing reads."""
    unknown = unknown_variables()
    read = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if value and name not in unknown and (name in _OTHER_VARIABLES or name.startswith("DUBBO_MESH_"))
    ]
    given = ", ".join(read) or "no variable is set"
    yield Finding("environment", "ok", f"mode {environment.mode}; {given}")
    if environment.direct and not environment.uses_direct:
        yield problem("DM103", f"DUBBO_MESH_DIRECT is not used: DUBBO_MESH_MODE is {environment.mode}")
    for name, similar in unknown.items():
        remedy = f"did you mean {similar}?" if similar else None
        yield problem("DM102", f"{name} is set, but there is no such variable", remedy=remedy)
