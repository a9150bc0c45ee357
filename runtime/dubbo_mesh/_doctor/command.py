"""`dubbo-mesh doctor`: checks the mesh as generated code would find it from this process."""

from __future__ import annotations

from collections.abc import Sequence

from .._addressing.environment import Environment
from .._contract.errors import ConfigurationError
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
    for target in targets:
        findings.extend(check_target(target, environment, timeout))
    if not targets:
        why = "no target was named: name an app or a generated module to see how it is dialled"
        findings.append(Finding("dial", "skipped", why))
    findings.extend(check_sidecar(environment, timeout))
    findings.extend(check_server(server, environment, timeout))
    return findings
