"""Checks where the targets of the command line are, and whether they can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..budget import Budget
from ..finding import Finding
from .dialling import Dialled, Dialling
from .environment import Reading
from .subjects import Subject, Subjects


def check_targets(
    targets: Sequence[str], reading: Reading, budget: Budget, *, served: bool = False, offline: bool = False
) -> Iterator[Finding | Dialled | Subject]:
    """Reports on all targets; yields the way to each as well, or the subject if it is not to be called.

    Args:
        targets: as on the command line.
        reading: the environment.
        budget: the time for all checks.
        served: whether this process's own server is looked at. In either case the services of this
            application (`DUBBO_MESH_APP`) are what it serves, and not called.
        offline: whether nothing may be dialled, as the sidecar's configuration is that of another host.
    """
    if not targets:
        why = "no target was named: name an app, a generated module or a package to see how it is dialled"
        yield Finding("dial", "skipped", why)
        return
    subjects, dialling = Subjects(budget), Dialling(reading.environment, budget, offline=offline)
    for given in targets:
        for found in subjects.of(given):
            if not isinstance(found, Subject):
                yield found
            elif _is_own(found, reading):
                own = f"{found.name}: this application's own (DUBBO_MESH_APP)"
                if served:
                    yield Finding("dial", "ok", f"{own}: looked at where --server says", subject=found.name)
                else:
                    why = f"{own}, which it need not call; --server auto looks at its server"
                    yield Finding("dial", "skipped", why, subject=found.name)
                yield found
            elif reading.hides_targets is not None:
                why = f"{found.name}: not known while {reading.hides_targets} is malformed"
                yield Finding("dial", "skipped", why, subject=found.name)
            else:
                yield from dialling.check(found)


def _is_own(subject: Subject, reading: Reading) -> bool:
    app = reading.environment.app
    return subject.service is not None and app is not None and subject.service.app == app
