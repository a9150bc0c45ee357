"""The catalogue of problems, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..._command.terminal import wrapped
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


def explained(ids: Sequence[str], *, width: int | None = None) -> str:
    """What is known of problems; without an id, the list of all.

    Args:
        ids: of problems in the catalogue.
        width: the columns of the terminal; None if there is none.
    """
    if not ids:
        return "\n".join(_listed(width))
    return "\n\n".join("\n".join(_explained(id, width)) for id in dict.fromkeys(ids))


def _explained(id: str, width: int | None) -> Iterator[str]:
    problem = CATALOGUE[id]
    yield from wrapped(problem.title, f"{id}  ", width)
    yield ""
    yield f"  severity  {problem.severity}"
    yield f"  check     {problem.check}"
    yield from wrapped(problem.why, "  why       ", width)
    yield from wrapped(problem.remedy, "  remedy    ", width)
    yield f"  docs      {DOCS}#{id.lower()}"


def _listed(width: int | None) -> Iterator[str]:
    area = None
    for id, problem in sorted(CATALOGUE.items()):
        if id[:3] != area:
            if area is not None:
                yield ""
            area = id[:3]
            yield AREAS[area]
        yield from wrapped(problem.title, f"  {id}  {problem.severity:7}  ", width)
