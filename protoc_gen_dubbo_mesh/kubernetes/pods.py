"""Which pods an application has: those of one Deployment, or of several if its services need other labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..mesh.model import App, Port
    from ..policy.model import Labels


class Pods(NamedTuple):
    """Pods that are alike.

    Attributes:
        suffix: what the names of their Deployment and its patch end with; empty if an app has no others.
        labels: their labels, sorted by key; those of the selector are among them.
        ports: the ports that they listen on, each with the services that they provide there.
    """

    suffix: str
    labels: Labels
    ports: tuple[Port, ...]


def pods_of(app: App) -> tuple[Pods, ...]:
    """The pods of an application.

    One Deployment provides all services, with the labels of all, unless these contradict each other: then
    each set of labels needs one of its own, which also provides the services that have no labels.
    """
    labels = dict(app.selector)
    for subset in app.subsets:
        labels |= subset.labels
    if all(labels[key] == value for subset in app.subsets for key, value in subset.labels):
        return (Pods("", tuple(sorted(labels.items())), app.ports),)
    elsewhere = {service.name: subset.name for subset in app.subsets for service in subset.services}
    return tuple(
        Pods(
            f"-{subset.name}",
            tuple(sorted((dict(app.selector) | dict(subset.labels)).items())),
            _ports(app.ports, [name for name, other in elsewhere.items() if other != subset.name]),
        )
        for subset in app.subsets
    )


def _ports(ports: Sequence[Port], without: Sequence[str]) -> tuple[Port, ...]:
    """The ports without those services, and without those ports that had no others."""
    left: list[Port] = []
    for port in ports:
        services = tuple(service for service in port.services if service.name not in without)
        if services:
            left.append(port._replace(services=services))
    return tuple(left)
