"""What several stages together do to requests: routes, of which the first that matches counts.

All conditions of Dubbo's rules count, one after another, and in Istio one route does. So each step splits the
routes that it overlaps, the narrower part first. Routes for one method are kept apart, by its name: steps for
different methods have nothing to do with each other, which keeps thousands of them from multiplying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..stages import Glob
from . import branches, predicates
from .steps import Branch, Narrow, Predicate, Refuse, Tune
from .values import InexpressibleError, allows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..positions import Position
    from .steps import Alternatives, Step

    Note = Callable[[tuple[Position, ...], str], None]

_MOST = 20_000
"""Routes of one host. Envoy takes more, but tries them one after another for each request."""

_MOST_PAIRS = 1_000_000
"""Pairs of a route and a step that are compared for one host, which bounds the time."""

_NOTHING: Mapping[str, str] = {}


class Draft(NamedTuple):
    """A route in the making.

    Attributes:
        when: which requests it is for.
        branches: where they go; one without labels at first.
        status: the HTTP status that is answered instead.
        tune: how the call is made.
        sources: the lines that had a say.
        origin: the position of the base route that it was made from.
        fixed: the values of headers and labels that `when` demands, to tell quickly what it is not for.
    """

    when: Predicate = predicates.EVERYTHING
    branches: tuple[Branch, ...] = (Branch(1, ()),)
    status: int | None = None
    tune: Tune = Tune()
    sources: tuple[Position, ...] = ()
    origin: int = 0
    fixed: Mapping[str, str] = _NOTHING


class _Part(NamedTuple):
    """A step for one method (`method`), or for those that no name is given of (None)."""

    step: Step
    method: str | None
    fixed: Mapping[str, str]


class _Indexed:
    """Routes, of which those for one method are quickly found."""

    def __init__(self, drafts: list[Draft]) -> None:
        self.drafts = drafts
        self._by_method: dict[str | None, list[tuple[int, Draft]]] = {}

    def candidates(self, method: str) -> list[Draft]:
        """The routes that may be for a method, in order."""
        if not self._by_method:
            for number, draft in enumerate(self.drafts):
                self._by_method.setdefault(_method(draft.when), []).append((number, draft))
        found = [*self._by_method.get(None, ()), *self._by_method.get(method, ())]
        return [draft for _, draft in sorted(found, key=lambda each: each[0])]


class Product:
    """Multiplies steps.

    Args:
        base: the routes to begin with; the last one should match everything.
        note: is told which lines are not carried over exactly in some combination, and why.
    """

    def __init__(self, base: Iterable[Draft], note: Note) -> None:
        self._note = note
        self._by_method: dict[str, list[Draft]] = {}
        self._others = _Indexed(list(base))
        self._size = 0
        self._pairs = 0

    def apply(self, alternatives: Alternatives) -> None:
        """Applies the steps of a stage, of which the first that matches a request counts.

        Raises:
            InexpressibleError: Istio cannot express a combination, or there are too many; nothing is applied.
        """
        parts = [part for step in alternatives for part in _parts(step)]
        rest = [(number, part) for number, part in enumerate(parts) if part.method is None]
        exact: dict[str, list[tuple[int, _Part]]] = {}
        for number, part in enumerate(parts):
            if part.method is not None:
                exact.setdefault(part.method, []).append((number, part))
        changed: dict[str, list[Draft]] = {}
        size = self._size
        self._count(len(self._by_method) * len(rest) // 3)
        for name in dict.fromkeys([*(self._by_method if rest else ()), *exact]):
            own = [each for each in rest if allows(each[1].step.when.methods, name)]
            if not own and name not in exact:
                continue
            steps = [part for _, part in sorted([*own, *exact.get(name, ())], key=lambda each: each[0])]
            drafts = self._by_method.get(name) or self._narrowed(name)
            changed[name] = self._applied(drafts, steps)
            size += len(changed[name]) - len(self._by_method.get(name, ()))
            self._check(size + len(self._others.drafts))
        if rest:
            others = self._applied(self._others.drafts, [part for _, part in rest])
            self._check(size + len(others))
            self._others = _Indexed(others)
        self._by_method.update(changed)
        self._size = size

    def drafts(self) -> list[Draft]:
        """The routes, in order."""
        found = [draft for name, drafts in self._by_method.items() for draft in self._needed(name, drafts)]
        return [*found, *self._others.drafts]

    def _check(self, size: int) -> None:
        if size > _MOST:
            raise InexpressibleError(f"together with other lines it would make more than {_MOST:,} routes")

    def _needed(self, name: str, drafts: list[Draft]) -> list[Draft]:
        """The routes of a method, without those at the end that the other routes come to anyway."""
        others = self._narrowed(name)
        size = len(drafts)
        while size and others and _does(drafts[size - 1]) == _does(others[-1]):
            size -= 1
            others.pop()
        return drafts[:size]

    def _narrowed(self, name: str) -> list[Draft]:
        """The other routes, as far as they are for one method."""
        only = predicates.exactly(name)
        candidates = self._others.candidates(name)
        return [
            draft._replace(when=draft.when._replace(methods=only))
            for draft in candidates
            if allows(draft.when.methods, name)
        ]

    def _applied(self, drafts: list[Draft], parts: list[_Part]) -> list[Draft]:
        self._count(len(drafts) * len(parts) // 10)
        found: list[Draft] = []
        for draft in drafts:
            fixed = draft.fixed
            self._check(len(found))
            for step, _, wanted in parts:
                if wanted and fixed and _differ(fixed, wanted):
                    continue
                self._count(1)
                when = predicates.both(draft.when, step.when)
                if when is None:
                    continue
                self._count(10)
                made = self._combined(draft, step)._replace(when=when, fixed={**fixed, **wanted})
                _append(found, made)
                if predicates.implies(draft.when, step.when):
                    break
            else:
                found.append(draft)
        return found

    def _count(self, pairs: int) -> None:
        self._pairs += pairs
        if self._pairs > _MOST_PAIRS:
            raise InexpressibleError("there are too many combinations with other lines")

    def _combined(self, draft: Draft, step: Step) -> Draft:
        if draft.status is not None:
            return draft
        sources = tuple(dict.fromkeys((*draft.sources, *step.sources)))
        match step.effect:
            case Refuse(status):
                return draft._replace(status=status, sources=sources)
            case Tune():
                return draft._replace(tune=_tuned(draft.tune, step.effect), sources=sources)
            case Narrow(after, skipped_if_none):
                found = branches.narrowed(draft.branches, after, lambda why: self._note(step.sources, why))
                if found:
                    return draft._replace(branches=found, sources=sources)
                if skipped_if_none:
                    return draft._replace(sources=sources)
                return draft._replace(status=503, sources=sources)


def _does(draft: Draft) -> tuple[object, ...]:
    return (draft.when, draft.branches, draft.status, draft.tune, draft.sources, draft.origin)


def _differ(fixed: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether two sets of values cannot both hold."""
    return any(fixed.get(name, value) != value for name, value in wanted.items())


def _append(drafts: list[Draft], draft: Draft) -> None:
    """Adds a route, unless one before it matches all that it does. Long lists are not searched."""
    if len(drafts) < 100 and any(predicates.implies(draft.when, before.when) for before in drafts):
        return
    drafts.append(draft)


def _method(predicate: Predicate) -> str | None:
    """The only method of a predicate; None if there may be several."""
    match predicate.methods.allowed:
        case (Glob(name, False),):
            return name
        case _:
            return None


def _parts(step: Step) -> list[_Part]:
    """The step for each of its exact methods, and for the rest of them."""
    when = step.when
    fixed = _fixed(when)
    if when.methods.allowed is None:
        return [_Part(step, None, fixed)]
    exact = [each for each in when.methods.allowed if isinstance(each, Glob) and not each.star]
    rest = tuple([each for each in when.methods.allowed if each not in exact])
    parts = [
        _Part(step._replace(when=when._replace(methods=predicates.exactly(each.prefix))), each.prefix, fixed)
        for each in exact
    ]
    if rest:
        methods = when.methods._replace(allowed=rest)
        parts.append(_Part(step._replace(when=when._replace(methods=methods)), None, fixed))
    return parts


def _fixed(predicate: Predicate) -> Mapping[str, str]:
    found = {f"label {key}": value for key, value in predicate.source_labels}
    for name, values in predicate.headers:
        match values.allowed:
            case (Glob(value, False),):
                found[name] = value
            case _:
                pass
    return found


def _tuned(before: Tune, after: Tune) -> Tune:
    return Tune(
        before.timeout if after.timeout is None else after.timeout,
        before.retries if after.retries is None else after.retries,
        before.abort if after.abort is None else after.abort,
    )
