"""The catalogue of problems, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..catalogue import CATALOGUE
from ..catalogue.problem import DOCS

AREAS = {
    "DM0": "The doctor itself",
    "DM1": "Where calls go",
    "DM2": "The sidecar",
    "DM3": "Timeouts, retries and other policy of calls",
    "DM4": "This application's servers",
}
"""What problems are about, by how their ids begin."""


def explained(ids: Sequence[str]) -> str:
    """What is known of problems; without an id, the list of all."""
    if ids:
        return "\n\n".join(_explained(id) for id in dict.fromkeys(ids))
    return "\n".join(_listed())


def _explained(id: str) -> str:
    problem = CATALOGUE[id]
    return (
        f"{id}: {problem.title}\n"
        f"{problem.severity}, found by the check “{problem.check}”\n\n"
        f"What it means: {problem.why}\n"
        f"What to do:    {problem.remedy}\n"
        f"More:          {DOCS}#{id.lower()}"
    )


def _listed() -> Iterator[str]:
    area = None
    for id, problem in sorted(CATALOGUE.items()):
        if id[:3] != area:
            if area is not None:
                yield ""
            area = id[:3]
            yield AREAS[area]
        yield f"  {id}  {problem.severity:7}  {problem.title}"
