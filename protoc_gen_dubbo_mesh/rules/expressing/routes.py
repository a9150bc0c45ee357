"""Drafts as routes of a VirtualService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resources import Destination, Route
from .matches import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..positions import Position
    from .product import Draft
    from .subsets import Subsets


def routes(
    host: str, drafts: Iterable[Draft], subsets: Subsets, texts: Mapping[Position, str]
) -> tuple[Route, ...]:
    """The routes of a host; neighbours that do the same become one.

    Args:
        host: its name.
        drafts: what they are made from.
        subsets: gains those that they need.
        texts: what each line says, for comments.
    """
    found: list[Route] = []
    for draft in drafts:
        route = _route(draft, subsets)
        last = found[-1] if found else None
        if last is not None and last.matches and route.matches and _does(last) == _does(route):
            sources = tuple(dict.fromkeys((*last.sources, *route.sources)))
            found[-1] = last._replace(matches=(*last.matches, *route.matches), sources=sources)
        else:
            found.append(route)
    return tuple([_finished(route, number, host, texts) for number, route in enumerate(found, 1)])


def _finished(route: Route, number: int, host: str, texts: Mapping[Position, str]) -> Route:
    comments = [f"{where}: {texts[where]}" if where in texts else str(where) for where in route.sources]
    if not route.matches and number > 1:
        comments = ["All other calls.", *comments]
    return route._replace(name=f"rule-{number}" if route.matches else host, comments=tuple(comments))


def _route(draft: Draft, subsets: Subsets) -> Route:
    destinations: tuple[Destination, ...] = ()
    if draft.status is None:
        several = len(draft.branches) > 1
        destinations = tuple(
            [Destination(subsets.name(each), each.weight if several else None) for each in draft.branches]
        )
    tune = draft.tune
    return Route(
        name="",
        comments=(),
        matches=matches(draft.when),
        destinations=destinations,
        status=draft.status,
        timeout=tune.timeout,
        retries=tune.retries,
        abort=tune.abort,
        sources=draft.sources,
    )


def _does(route: Route) -> tuple[object, ...]:
    return (route.destinations, route.status, route.timeout, route.retries, route.abort, route.sources)
