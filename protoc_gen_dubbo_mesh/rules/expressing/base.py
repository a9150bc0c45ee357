"""The routes that rules are applied to: those that `emit=istio` writes for a host, or one for all calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..resources import Retries, Subset, TrafficPolicy
from . import predicates
from .product import Draft
from .steps import Branch, Predicate, Tune

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...istio import model as istio
    from ..directory import Host


class Base(NamedTuple):
    """What a host has without any rule.

    Attributes:
        drafts: its routes; the `origin` of each is the position of its entry.
        entries: what `emit=istio` writes below `http`; none without protos.
        subsets, policy: of its DestinationRule.
    """

    drafts: tuple[Draft, ...]
    entries: tuple[istio.Entry, ...] = ()
    subsets: tuple[Subset, ...] = ()
    policy: TrafficPolicy = TrafficPolicy()


def base(host: Host) -> Base:
    """What a host has without any rule."""
    emitted = host.emitted
    if emitted is None or not emitted.entries:
        return Base((Draft(),))
    subsets = tuple([Subset(str(each.name.value), each.labels) for each in emitted.subsets])
    labels = {each.name: each.labels for each in subsets}
    drafts: list[Draft] = []
    for number, entry in enumerate(emitted.entries):
        branch = Branch(1, labels[entry.subset] if entry.subset else ())
        drafts += [
            Draft(when, branches=(branch,), tune=_tune(entry), origin=number) for when in _predicates(entry)
        ]
    outliers = emitted.outliers.values if emitted.outliers else ()
    return Base(tuple(drafts), emitted.entries, subsets, TrafficPolicy(outliers=outliers))


def _predicates(entry: istio.Entry) -> Iterator[Predicate]:
    """The requests that an entry is for, as predicates of which one must hold."""
    if not entry.matches:
        yield predicates.EVERYTHING if entry.port is None else Predicate(port=entry.port)
    for kind, path in entry.matches:
        service, _, method = path.removeprefix("/").partition("/")
        if kind == "exact":
            yield Predicate(service=service, methods=predicates.exactly(method), port=entry.port)
        else:
            yield Predicate(service=service, port=entry.port)


def _tune(entry: istio.Entry) -> Tune:
    retries = entry.retries
    return Tune(
        timeout=None if entry.timeout is None else str(entry.timeout.value),
        retries=None
        if retries is None
        else Retries(
            int(retries.attempts.value),
            None if retries.per_try_timeout is None else str(retries.per_try_timeout.value),
            None if retries.on is None else str(retries.on.value),
        ),
    )
