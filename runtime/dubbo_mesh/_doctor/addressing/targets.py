"""Checks where the targets of the command line are, and whether they can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..budget import Budget
from ..finding import Finding
from .dialling import Dialled, Dialling
from .environment import Reading
from .subjects import Subject, Subjects


def check_targets(
    targets: Sequence[str], reading: Reading, budget: Budget, *, offline: bool = False
) -> Iterator[Finding | Dialled]:
    """Reports on all targets; yields the way to each as well.

    Args:
        targets: as on the command line.
        reading: the environment.
        budget: the time for all checks.
        offline: whether nothing may be dialled, as the sidecar's configuration is that of another host.
    """
    if not targets:
        why = "no target was named: name an app, a generated module or a package to see how it is dialled"
        yield Finding("dial", "skipped", why)
        return
    subjects, dialling = Subjects(), Dialling(reading.environment, budget, offline=offline)
    for given in targets:
        for found in subjects.of(given):
            if not isinstance(found, Subject):
                yield found
            elif reading.hides_targets is not None:
                why = f"{found.name}: not known while {reading.hides_targets} is malformed"
                yield Finding("dial", "skipped", why, subject=found.name)
            else:
                yield from dialling.check(found)
