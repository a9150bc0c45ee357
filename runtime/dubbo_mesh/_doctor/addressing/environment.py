"""Checks the environment variables of this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..._addressing.environment import VARIABLES, Environment, unknown_variables
from ..._contract.errors import ConfigurationError
from ..._contract.target import Target
from ..finding import Finding, problem
from .contradictions import check_contradictions
from .similar import set_instead_of

_OF_KUBERNETES = ("POD_NAMESPACE", "CLUSTER_DOMAIN", "POD_IP")
_OF_GRPC = ("GRPC_XDS_BOOTSTRAP", "GRPC_DNS_RESOLVER")

_DECIDE = {
    "sidecar": ("DUBBO_MESH_MODE", "DUBBO_MESH_EGRESS", "POD_NAMESPACE", "CLUSTER_DOMAIN"),
    "proxyless": ("DUBBO_MESH_MODE", "POD_NAMESPACE", "CLUSTER_DOMAIN"),
    "direct": ("DUBBO_MESH_MODE", "DUBBO_MESH_DIRECT"),
}
"""The variables that decide where calls go, by mode."""


class Reading(NamedTuple):
    """What could be read of the environment.

    Attributes:
        environment: the settings; a malformed variable counts as unset.
        malformed: what is wrong with each malformed variable.
    """

    environment: Environment
    malformed: Mapping[str, str]

    @property
    def hides_targets(self) -> str | None:
        """A malformed variable without which it cannot be told where calls go; None if there is none."""
        return self._malformed_one_of(*_DECIDE[self.environment.mode])

    @property
    def hides_sidecar(self) -> str | None:
        """A malformed variable without which it cannot be told where a sidecar is, or if one is meant."""
        return self._malformed_one_of("DUBBO_MESH_MODE", "DUBBO_MESH_ADMIN")

    def _malformed_one_of(self, *names: str) -> str | None:
        return next((name for name in names if name in self.malformed), None)


def read_environment() -> Reading:
    """Reads each variable, also if others are malformed."""
    given = {name: value for name in (*VARIABLES, *_OF_KUBERNETES) if (value := os.environ.get(name))}
    malformed: dict[str, str] = {}
    for name in VARIABLES:
        if name in given:
            alone = {name: given[name], "POD_IP": given.get("POD_IP", "")}
            try:
                Environment.read(alone)
            except ConfigurationError as error:
                malformed[name] = str(error)
    # A target reads each of these two unless it is given the value.
    for name, namespace, domain in (("POD_NAMESPACE", None, "local"), ("CLUSTER_DOMAIN", "default", None)):
        try:
            Target("app", namespace, cluster_domain=domain)
        except ConfigurationError as error:
            malformed[name] = str(error)
    well_formed = {name: value for name, value in given.items() if name not in malformed}
    return Reading(Environment.read(well_formed), malformed)


def check_environment(reading: Reading, *, offline: bool) -> Iterator[Finding]:
    """Reports the mode and the variables that are set, and what is wrong with them.

    Args:
        reading: the environment.
        offline: whether it is that of another host.
    """
    environment, malformed = reading
    unknown = unknown_variables()
    read = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if value and (name in VARIABLES or name in _OF_KUBERNETES or name in _OF_GRPC)
    ]
    given = ", ".join(read) or "no variable is set"
    if "DUBBO_MESH_MODE" not in malformed:
        yield Finding("environment", "ok", f"mode {environment.mode}; {given}")
    for name, why in malformed.items():
        yield problem("DM101", why, remedy=_remedy(name))
    for name, similar in unknown.items():
        remedy = f"did you mean {similar}?" if similar else None
        yield problem("DM102", f"{name} is set, but there is no such variable", remedy=remedy)
    yield from check_contradictions(environment, offline=offline)


def _remedy(name: str) -> str | None:
    """A remedy for a variable that needs another one, which may have been set under another name."""
    if name != "DUBBO_MESH_FORWARDED_FOR" or os.environ.get("POD_IP"):
        return None
    instead = set_instead_of("POD_IP")
    return f"{instead} is set: should it be called POD_IP?" if instead else None
