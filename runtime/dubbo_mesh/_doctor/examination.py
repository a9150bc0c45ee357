"""What the doctor is asked to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What the command line asks for.

    Attributes:
        targets: what is to be called: applications, generated modules, packages.
        server: where this application's own server listens: addresses as in `DUBBO_MESH_LISTEN`, or `auto`.
            None if it has none.
        timeout: seconds that all checks may take together.
        config_dumps: files that stand for the answers of the sidecar's admin endpoint.
        headers: headers that calls have beside those of stubs, by their names in lower case.
        calls: rpcs to call on trial, `package.Service/rpc`.
        call_anyway: whether these are called, once, even if they are not marked as idempotent.
        termination_grace_period: seconds, the pod's `terminationGracePeriodSeconds`; None if not known.
    """

    targets: Sequence[str] = ()
    server: str | None = None
    timeout: float = 10.0
    config_dumps: Sequence[Path] = ()
    headers: Sequence[tuple[str, str]] = ()
    calls: Sequence[str] = ()
    call_anyway: bool = False
    termination_grace_period: float | None = None

    @property
    def offline(self) -> bool:
        """Whether the sidecar's configuration is from files, and so of another host: nothing is dialled."""
        return bool(self.config_dumps)
