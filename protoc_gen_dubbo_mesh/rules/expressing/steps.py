"""What a stage does to requests, in terms that Istio has: the input of the product (`product.py`).

A stage becomes alternatives, one after another. Of the steps of one alternative, the first whose predicate
holds counts; conditions of a rule are alternatives of one step each, since all of them count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ...policy.model import Labels
    from ..positions import Position
    from ..resources import Abort, Retries
    from ..stages import Glob

    Alternatives = tuple["Step", ...]


class Integers(NamedTuple):
    """Decimal integers from `low` to `high`, both included; None has no end.

    Attributes:
        low, high: the ends.
        signed: whether a sign may stand before them.
    """

    low: int | None
    high: int | None
    signed: bool = False

    def holds(self, value: str) -> bool:
        """Whether it holds for a value."""
        digits = value[1:] if self.signed and value[:1] in {"+", "-"} else value
        if not (digits.isascii() and digits.isdigit()):
            return False
        # Python refuses to convert thousands of digits.
        number = int(digits.lstrip("0")[:4000] or "0")
        number = -number if value.startswith("-") else number
        return (self.low is None or self.low <= number) and (self.high is None or number <= self.high)


class Values(NamedTuple):
    """The values of a method, a header or such for which a predicate holds.

    Attributes:
        allowed: one of these must hold; None: any value.
        denied: none of these may hold.
        required: whether the value must be present; a value that is allowed is present.
    """

    allowed: tuple[Glob | Integers, ...] | None = None
    denied: tuple[Glob | Integers, ...] = ()
    required: bool = False


class Predicate(NamedTuple):
    """Which requests a step is for; all of it must hold.

    Attributes:
        service: by its full name; None: any service of the host.
        methods: the methods by their names on the wire.
        headers: by lower-case name, sorted.
        source_labels: labels of the caller's pod.
        port: of the Service, if it has several.
    """

    service: str | None = None
    methods: Values = Values()
    headers: tuple[tuple[str, Values], ...] = ()
    source_labels: Labels = ()
    port: int | None = None


class Branch(NamedTuple):
    """A part of the requests, and the pods for them.

    Attributes:
        weight: its share, relative to the others.
        labels: that pods must have.
        prefer: pods that match more of these, in order, are preferred: `zone=east`, `zone`.
    """

    weight: int
    labels: Labels
    prefer: tuple[str, ...] = ()


class Narrow(NamedTuple):
    """Only pods of these branches are left.

    Attributes:
        branches: which pods.
        skipped_if_none: whether it has no effect where earlier steps leave none of them.
    """

    branches: tuple[Branch, ...]
    skipped_if_none: bool = False


class Refuse(NamedTuple):
    """No pod is left: an HTTP status is answered (403 for a rule that denies, 503 where no pod can be)."""

    status: int


class Tune(NamedTuple):
    """How the call is made. None leaves it to earlier steps."""

    timeout: str | None = None
    retries: Retries | None = None
    abort: Abort | None = None


class Step(NamedTuple):
    """What is done to some requests.

    Attributes:
        when: which requests.
        effect: what is done.
        sources: the lines that say so.
    """

    when: Predicate
    effect: Narrow | Refuse | Tune
    sources: tuple[Position, ...]
