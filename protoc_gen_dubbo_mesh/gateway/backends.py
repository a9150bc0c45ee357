"""Services for the pods of an application that have further labels.

A route's backends are Services: it has no subsets, as Istio's DestinationRule has.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import GenerationError
from .model import Backend, BackendPort

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..mesh.model import App, Subset

_LONGEST_NAME = 63
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")  # an RFC 1035 label


class Backends:
    """The Services of all subsets of a run, so that each has a name of its own.

    Args:
        apps: all applications of the run.
    """

    def __init__(self, apps: Iterable[App]) -> None:
        self._owners = {(app.namespace, app.name): "another app" for app in apps}

    def of(self, app: App) -> dict[str, Backend]:
        """A Service for each subset that is not all of the app's pods, by the subset's name.

        Raises:
            GenerationError: the name of one is not allowed, or taken.
        """
        found: dict[str, Backend] = {}
        for subset in app.subsets:
            if set(subset.labels) <= set(app.selector):
                continue
            found[subset.name] = Backend(
                name=self._name(app, subset),
                selector=tuple(sorted({**dict(app.selector), **dict(subset.labels)}.items())),
                origin=subset.origin,
                ports=tuple(
                    BackendPort(port.name, port.number)
                    for port in app.ports
                    if any(service in port.services for service in subset.services)
                ),
            )
        return found

    def _name(self, app: App, subset: Subset) -> str:
        name = f"{app.name}-{subset.name}"
        service = subset.services[0]
        where = service.where("labels")
        about = f"the Service {name} for the pods of app {app.name} with the labels of service {service.name}"
        if len(name) > _LONGEST_NAME:
            raise GenerationError(
                f"{about} has a name of {len(name)} characters, and Kubernetes allows {_LONGEST_NAME}: "
                "use shorter labels",
                where,
            )
        if not _SERVICE_NAME.fullmatch(name):
            raise GenerationError(
                f"{about} must have a name that begins with a letter, as Kubernetes asks for: rename the app",
                where,
            )
        owner = self._owners.get((app.namespace, name))
        if owner is not None:
            raise GenerationError(f"{about} would have the name of {owner}: use other labels", where)
        self._owners[app.namespace, name] = f"that for the pods of app {app.name} in subset {subset.name}"
        return name
