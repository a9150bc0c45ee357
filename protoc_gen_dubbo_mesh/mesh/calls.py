"""Which application calls which, as far as the config's `[apps]` says."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..errors import GenerationError

if TYPE_CHECKING:
    from .model import App, Mesh


class Callee(NamedTuple):
    """An application that another one calls.

    Attributes:
        name: of its Kubernetes Service.
        namespace: of its Kubernetes Service; None means that of whoever applies the files.
        app: the application; None if this run knows no more of it than its name.
    """

    name: str
    namespace: str | None
    app: App | None


class Calls:
    """The calls between the applications of a run.

    Args:
        mesh: the applications.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._apps = mesh.apps
        self._by_name: dict[str, dict[str | None, App]] = {}
        for app in mesh.apps:
            self._by_name.setdefault(app.name, {})[app.namespace] = app

    def callees(self, caller: App) -> tuple[Callee, ...] | None:
        """The applications that an application calls, by namespace and name; None if they are not known.

        One that is named without its namespace is the one in the caller's namespace. If this run has none
        there, it is the only one of that name elsewhere, or else one of which the run knows nothing.

        Raises:
            GenerationError: it is not clear which application is meant.
        """
        calls = caller.settings.calls
        if calls is None:
            return None
        found = {(name, self._namespace(caller, name, namespace)) for name, namespace in calls}
        in_order = sorted(found, key=lambda each: (each[1] or "", each[0]))
        return tuple(
            [
                Callee(name, namespace, self._by_name.get(name, {}).get(namespace))
                for name, namespace in in_order
            ]
        )

    def namespaces_of_callers(self, app: App) -> tuple[str | None, ...]:
        """The namespaces of all applications that may call one: those whose calls are not known, too.

        Raises:
            GenerationError: it is not clear which application is meant in `calls`.
        """
        known, unknown = self._namespaces
        return tuple(sorted(known.get((app.name, app.namespace), set()) | unknown, key=_in_order))

    @cached_property
    def _namespaces(self) -> tuple[dict[tuple[str, str | None], set[str | None]], set[str | None]]:
        """The namespaces of callers by what they call, and of those whose calls are not known."""
        known: dict[tuple[str, str | None], set[str | None]] = {}
        unknown: set[str | None] = set()
        for caller in self._apps:
            called = self.callees(caller)
            if called is None:
                unknown.add(caller.namespace)
            for name, namespace, _ in called or ():
                known.setdefault((name, namespace), set()).add(caller.namespace)
        return known, unknown

    def _namespace(self, caller: App, name: str, namespace: str | None) -> str | None:
        by_namespace = self._by_name.get(name, {})
        if namespace is not None or not by_namespace or caller.namespace in by_namespace:
            return namespace or caller.namespace
        if len(by_namespace) > 1:
            found = sorted(filter(None, by_namespace))
            raise GenerationError(
                f"app {caller.name} calls {name}, which is in the namespaces {', '.join(found)}: write "
                f"{name}.{found[0]} or another one",
                caller.settings.where,
            )
        [namespace] = by_namespace
        return namespace


def _in_order(namespace: str | None) -> str:
    return namespace or ""
