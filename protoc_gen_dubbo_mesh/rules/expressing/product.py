"""What several stages together do to requests: routes, of which the first that matches counts.

All conditions of Dubbo's rules count, one after another, and in Istio one route does. So each step splits the
routes that it overlaps, the narrower part first. Routes for one method are kept apart, by its name: steps for
different methods have nothing to do with each other, which keeps thousands of them from multiplying.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, NamedTuple

from ..stages import Glob
from . import predicates
from .steps import Branch, Narrow, Predicate, Refuse, Tune
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..positions import Position
    from .steps import Alternatives, Step

    Note = Callable[[tuple[Position, ...], str], None]

_MOST = 20_000
"""Routes of one host. Envoy takes more, but tries them one after another for each request."""


class Draft(NamedTuple):
    """A route in the making.

    Attributes:
        when: which requests it is for.
        branches: where they go; one without labels at first.
        status: the HTTP status that is answered instead.
        tune: how the call is made.
        sources: the lines that had a say.
        origin: the position of the base route that it was made from.
    """

    when: Predicate = predicates.EVERYTHING
    branches: tuple[Branch, ...] = (Branch(1, ()),)
    status: int | None = None
    tune: Tune = Tune()
    sources: tuple[Position, ...] = ()
    origin: int = 0


class Product:
    """Multiplies steps.

    Args:
        base: the routes to begin with; the last one should match everything.
        note: is told which lines are not carried over exactly in some combination, and why.
    """

    def __init__(self, base: Iterable[Draft], note: Note) -> None:
        self._note = note
        self._by_method: dict[str, list[Draft]] = {}
        self._others = list(base)

    def apply(self, alternatives: Alternatives) -> None:
        """Applies the steps of a stage, of which the first that matches a request counts.

        Raises:
            InexpressibleError: Istio cannot express a combination, or there are too many; nothing is applied.
        """
        steps = [part for step in alternatives for part in _by_methods(step)]
        exact = dict.fromkeys(name for step in steps if (name := _method(step.when)) is not None)
        rest = [step for step in steps if _method(step.when) is None]
        by_method = {name: self._by_method.get(name) or self._narrowed(name) for name in exact}
        if rest:
            by_method = {**self._by_method, **by_method}
        changed = {name: self._applied(drafts, steps) for name, drafts in by_method.items()}
        others = self._applied(self._others, rest) if rest else self._others
        unchanged = sum(map(len, self._by_method.values())) if not rest else 0
        if unchanged + sum(map(len, changed.values())) + len(others) > _MOST:
            raise InexpressibleError(f"together with other lines it would make more than {_MOST} routes")
        self._by_method.update(changed)
        self._others = others

    def drafts(self) -> list[Draft]:
        """The routes, in order."""
        found = [draft for name, drafts in self._by_method.items() for draft in self._needed(name, drafts)]
        return [*found, *self._others]

    def _needed(self, name: str, drafts: list[Draft]) -> list[Draft]:
        """The routes of a method, without those at the end that the other routes come to anyway."""
        others = self._narrowed(name)
        size = len(drafts)
        while size and others and _does(drafts[size - 1]) == _does(others[-1]):
            size -= 1
            others.pop()
        return drafts[:size]

    def _narrowed(self, name: str) -> list[Draft]:
        only = Predicate(methods=predicates.exactly(name))
        found: list[Draft] = []
        for draft in self._others:
            when = predicates.both(draft.when, only)
            if when is not None:
                _append(found, draft._replace(when=when))
        return found

    def _applied(self, drafts: list[Draft], steps: list[Step]) -> list[Draft]:
        found: list[Draft] = []
        for draft in drafts:
            for step in steps:
                when = predicates.both(draft.when, step.when)
                if when is None:
                    continue
                _append(found, self._combined(draft, step)._replace(when=when))
                if predicates.implies(draft.when, step.when):
                    break
            else:
                _append(found, draft)
        return found

    def _combined(self, draft: Draft, step: Step) -> Draft:
        if draft.status is not None:
            return draft
        sources = tuple(dict.fromkeys((*draft.sources, *step.sources)))
        match step.effect:
            case Refuse(status):
                return draft._replace(status=status, sources=sources)
            case Tune():
                return draft._replace(tune=_tuned(draft.tune, step.effect), sources=sources)
            case Narrow(branches):
                pairs = [self._narrower(one, other, step) for one in draft.branches for other in branches]
                left = [pair for pair in pairs if pair is not None]
                if not left:
                    return draft._replace(status=503, sources=sources)
                several = len(draft.branches) > 1 and len(branches) > 1
                return draft._replace(branches=_merged(left, reduced=several), sources=sources)

    def _narrower(self, one: Branch, other: Branch, step: Step) -> Branch | None:
        """The pods of both; None if there can be none."""
        labels = dict(one.labels)
        if any(labels.setdefault(key, value) != value for key, value in other.labels):
            return None
        prefer: dict[str, str] = {}
        for wish in (*one.prefer, *other.prefer):
            key, _, value = wish.partition("=")
            if labels.get(key, value) == value and prefer.setdefault(key, wish) == wish:
                continue
            if wish in other.prefer and key not in labels:
                self._note(
                    step.sources, f"it is skipped for requests that other lines prefer {prefer[key]} for"
                )
        wishes = [wish for wish in prefer.values() if wish.partition("=")[0] not in labels]
        if len(wishes) > 1 and one.prefer and other.prefer:
            self._note(
                step.sources,
                f"if no pod has {wishes[0]}, Istio does not look for {wishes[-1]}, and Dubbo does",
            )
        return Branch(one.weight * other.weight, tuple(sorted(labels.items())), tuple(wishes))


def _does(draft: Draft) -> tuple[object, ...]:
    return (draft.when, draft.branches, draft.status, draft.tune, draft.sources)


def _append(drafts: list[Draft], draft: Draft) -> None:
    """Adds a route, unless one before it matches all that it does. Long lists are not searched."""
    if len(drafts) < 200 and any(predicates.implies(draft.when, before.when) for before in drafts):
        return
    drafts.append(draft)


def _method(predicate: Predicate) -> str | None:
    """The only method of a predicate; None if there may be several."""
    match predicate.methods.allowed:
        case (Glob(name, False),):
            return name
        case _:
            return None


def _by_methods(step: Step) -> list[Step]:
    """The step for each of its exact methods, and for the rest of them."""
    allowed = step.when.methods.allowed
    if allowed is None:
        return [step]
    exact = [each for each in allowed if isinstance(each, Glob) and not each.star]
    rest = tuple([each for each in allowed if each not in exact])
    parts = [
        step._replace(when=step.when._replace(methods=predicates.exactly(each.prefix))) for each in exact
    ]
    if rest:
        methods = step.when.methods._replace(allowed=rest)
        parts.append(step._replace(when=step.when._replace(methods=methods)))
    return parts


def _tuned(before: Tune, after: Tune) -> Tune:
    return Tune(
        before.timeout if after.timeout is None else after.timeout,
        before.retries if after.retries is None else after.retries,
        before.abort if after.abort is None else after.abort,
    )


def _merged(branches: list[Branch], *, reduced: bool) -> tuple[Branch, ...]:
    """Branches to the same pods become one; weights that were multiplied lose their common divisor."""
    weights: dict[Branch, int] = {}
    for branch in branches:
        key = branch._replace(weight=0)
        weights[key] = weights.get(key, 0) + branch.weight
    divisor = gcd(*weights.values()) if reduced else 1
    return tuple([key._replace(weight=weight // divisor) for key, weight in weights.items()])
