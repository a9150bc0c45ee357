"""`dubbo-mesh doctor`: checks the mesh as generated code would find it from this process."""

from __future__ import annotations

from collections.abc import Iterator

from .._contract.service import Service
from .addressing.dialling import Dialled
from .addressing.environment import Reading, check_environment, read_environment
from .addressing.targets import check_targets
from .budget import Budget
from .envoy.configuration.snapshot import Snapshot
from .examination import Examination
from .finding import Finding
from .policy.past_sidecar import check_past_sidecar
from .policy.through_sidecar import check_through_sidecar
from .safety import bounded, safely
from .serving.aliases import check_aliases
from .serving.calls import check_calls
from .serving.circumstances import Circumstances
from .serving.own import Targets
from .serving.server import check_server
from .sidecar.reading import check_sidecar


def examine(examination: Examination) -> Iterator[Finding]:
    """Runs all checks, and yields what each of them finds. Raises nothing, whatever there is to read."""
    yield from map(bounded, safely("doctor", _examine, examination))


def _examine(examination: Examination) -> Iterator[Finding]:
    budget = Budget(examination.timeout)
    reading = read_environment()
    environment = reading.environment
    yield from safely("environment", check_environment, reading, offline=examination.offline)
    called: list[Dialled] = []
    own: list[Service] = []
    for found in safely("dial", check_targets, examination, reading, budget):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Dialled):
            called.append(found)
        elif found.service is not None:
            own.append(found.service)
    targets = Targets(own, called)
    yield from safely("aliases", check_aliases, targets, environment)
    snapshot: Snapshot | None = None
    for read in _sidecar(reading, examination, budget):
        if isinstance(read, Snapshot):
            snapshot = read
            yield from safely(
                "headers", check_through_sidecar, called, examination, environment, snapshot, budget
            )
        else:
            yield read
    for each in called:
        yield from safely("rpc", check_past_sidecar, each, environment, examination.headers)
    circumstances = Circumstances(examination, environment, targets, snapshot, budget)
    yield from safely("health", check_server, circumstances)
    yield from safely("call", check_calls, circumstances)


def _sidecar(reading: Reading, examination: Examination, budget: Budget) -> Iterator[Finding | Snapshot]:
    """Reads the sidecar's configuration, and yields it among what there is to report."""
    hidden = reading.hides_sidecar
    if hidden is not None and not examination.offline:
        yield Finding("admin", "skipped", f"not asked while {hidden} is malformed")
        return
    yield from safely("admin", check_sidecar, reading.environment, budget, examination.config_dumps)
