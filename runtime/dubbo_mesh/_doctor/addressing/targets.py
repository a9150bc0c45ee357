"""Checks where the targets of the command line are, and whether they can be reached."""

from __future__ import annotations

from collections.abc import Iterator

from ..budget import Budget
from ..examination import Examination
from ..finding import Finding
from .dialling import Dialled, Dialling
from .environment import Reading
from .subjects import Subject, Subjects


def check_targets(
    examination: Examination, reading: Reading, budget: Budget
) -> Iterator[Finding | Dialled | Subject]:
    """Reports on all targets; yields the way to each as well, or the subject if it is not to be called.

    The services of this application (`DUBBO_MESH_APP`) are what it serves, and not called.

    Args:
        examination: what the command line asks for.
        reading: the environment.
        budget: the time for all checks.
    """
    if not examination.targets:
        why = "no target was named: name an app, a generated module or a package to see how it is dialled"
        yield Finding("dial", "skipped", why)
        return
    subjects = Subjects(budget)
    dialling = Dialling(reading.environment, budget, offline=examination.offline)
    for given in examination.targets:
        for found in subjects.of(given):
            if not isinstance(found, Subject):
                yield found
            elif _is_own(found, reading):
                own = f"{found.name}: this application's own (DUBBO_MESH_APP)"
                if examination.server is not None:
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
