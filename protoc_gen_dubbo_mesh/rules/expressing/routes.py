"""Drafts as routes of a VirtualService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources import Destination, Route
from .matches import matches
from .steps import Tune

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...istio.model import Entry
    from ..positions import Position
    from ..resources import Match
    from .product import Draft
    from .subsets import Subsets


def routes(
    host: str,
    drafts: Iterable[Draft],
    subsets: Subsets,
    texts: Mapping[Position, str],
    entries: Sequence[Entry] = (),
) -> tuple[Route, ...]:
    """The routes of a host; neighbours that do the same become one, and what cannot be reached is left out.

    Args:
        host: its name.
        drafts: what they are made from.
        subsets: gains those that they need.
        texts: what each line says, for comments.
        entries: what the drafts were made from, by their `origin`; none if there are no protos.
    """
    found: list[tuple[Route, int]] = []
    seen: set[Match] = set()
    for draft in drafts:
        wanted = matches(draft.when)
        unseen = tuple([match for match in wanted if match not in seen])
        if wanted and not unseen:
            continue
        seen.update(unseen)
        route = _route(draft, unseen, subsets, entries[draft.origin].port if entries else None)
        last, origin = found[-1] if found else (route, -1)
        if origin == draft.origin and last.matches and route.matches and _does(last) == _does(route):
            found[-1] = (last._replace(matches=(*last.matches, *route.matches)), origin)
        else:
            found.append((route, draft.origin))
    return tuple(
        [
            _finished(route, number, host, texts, entries[origin] if entries else None)
            for number, (route, origin) in enumerate(found, 1)
        ]
    )


def _finished(
    route: Route, number: int, host: str, texts: Mapping[Position, str], entry: Entry | None
) -> Route:
    comments = [f"{where}: {texts[where]}" if where in texts else str(where) for where in route.sources]
    name = f"rule-{number}" if route.matches else host
    if entry is not None and not route.sources:
        return route._replace(name=entry.name, comments=_notes(entry))
    if not route.matches and number > 1:
        comments = ["All other calls.", *comments]
    if entry is not None and route.status is None:
        comments += [line for line in _notes(entry) if not line.startswith("All ")]
    return route._replace(name=name, comments=tuple(comments))


def _notes(entry: Entry) -> tuple[str, ...]:
    """What is to be said of an entry of `emit=istio`: where its values were set."""
    retries = entry.retries
    values = [
        ("timeout", entry.timeout),
        ("retries", retries and retries.attempts),
        ("perTryTimeout", retries and retries.per_try_timeout),
    ]
    notes = [f"{name}: {value.note}" for name, value in values if value is not None and value.note]
    return (*entry.comments, *notes)


def _route(draft: Draft, wanted: tuple[Match, ...], subsets: Subsets, port: int | None) -> Route:
    destinations: tuple[Destination, ...] = ()
    if draft.status is None:
        several = len(draft.branches) > 1
        destinations = tuple(
            [
                Destination(subsets.name(each), each.weight if several else None, port)
                for each in draft.branches
            ]
        )
    tune = draft.tune if draft.status is None else Tune()
    return Route(
        name="",
        comments=(),
        matches=wanted,
        destinations=destinations,
        status=draft.status,
        timeout=tune.timeout,
        retries=tune.retries,
        abort=tune.abort,
        sources=draft.sources,
    )


def _does(route: Route) -> tuple[object, ...]:
    return (route.destinations, route.status, route.timeout, route.retries, route.abort, route.sources)
