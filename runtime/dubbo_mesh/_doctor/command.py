"""`dubbo-mesh doctor`: checks the mesh as generated code would find it from this process."""

from __future__ import annotations

from collections.abc import Sequence

from .._addressing.environment import Environment
from .._contract.errors import ConfigurationError
from .._contract.service import Service
from .environment import check_environment
from .finding import Finding
from .server import check_server
from .sidecar import check_sidecar
from .targets import check_target


def examine(targets: Sequence[str], server: str | None, timeout: float) -> list[Finding]:
    """Runs all checks.

    Args:
        targets: what is to be called, as given on the command line.
        server: `host:port` of this application's own server; None if it has none.
        timeout: seconds that each check may wait for an answer.
    """
    try:
        environment = Environment.read()
    except ConfigurationError as error:
        return [Finding("environment", "failed", str(error), "correct the variable, or unset it")]
    findings = [*check_environment(environment)]
    services: list[Service | None] = []
    for target in targets:
        found, named = check_target(target, environment, timeout)
        findings.extend(found)
        services.extend(named)
    if not targets:
        why = "no target was named: name an app or a generated module to see how it is dialled"
        findings.append(Finding("dial", "skipped", why))
    findings.extend(check_sidecar(environment, timeout, by_routes=_leave_all_to_routes(services)))
    findings.extend(check_server(server, environment, timeout))
    return findings


def _leave_all_to_routes(services: Sequence[Service | None]) -> bool:
    """Whether stubs of all these services send no headers for timeouts and retries; None is one not known."""
    return bool(services) and all(
        service is not None
        and all(
            method.envoy.inherit_timeout and not method.envoy.to_metadata()
            for method in service.methods.values()
        )
        for service in services
    )
