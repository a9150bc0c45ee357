"""What is said of each line of a rule."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .positions import Position


class Verdict(StrEnum):
    """How far Istio does what a line does in Dubbo, from best to worst."""

    EXACT = "exact"
    """Every request goes where Dubbo would have sent it."""

    INACTIVE = "inactive"
    """It never had an effect in this version of Dubbo, and has none now."""

    APPROXIMATE = "approximate"
    """There are differences, which are named."""

    CANNOT = "cannot"
    """Istio has nothing for it; nothing is written for it."""

    @property
    def rank(self) -> int:
        """Its place, from best to worst."""
        return list(Verdict).index(self)


class Remark(NamedTuple):
    """A verdict on a line. A line may have several, of which the worst counts.

    Attributes:
        verdict: the verdict.
        where: the line.
        subject: what the line says, such as the text of a condition, or the name of a key.
        why: what differs, or why it cannot be expressed or has no effect; may be empty for an exact line.
        advice: what to do instead; may be empty.
    """

    verdict: Verdict
    where: Position
    subject: str
    why: str = ""
    advice: str = ""


def worst(remarks: list[Remark]) -> Verdict:
    """The worst of some verdicts."""
    return max((remark.verdict for remark in remarks), key=lambda each: each.rank, default=Verdict.EXACT)
