"""Which application calls which, as far as the config's `[apps]` says."""

from __future__ import annotations

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


def callees(mesh: Mesh, caller: App) -> tuple[Callee, ...] | None:
    """The applications that an application calls, by namespace and name; None if they are not known.

    One that is named without its namespace is the one of that name in this run; if there is none, or one in
    the caller's own namespace, it is the one there.

    Raises:
        GenerationError: it is not clear which application is meant.
    """
    calls = caller.settings.calls
    if calls is None:
        return None
    found = {_callee(mesh, caller, name, namespace) for name, namespace in calls}
    return tuple(sorted(found, key=lambda callee: (callee.namespace or "", callee.name)))


def possible_callers(mesh: Mesh, app: App) -> tuple[App, ...]:
    """The applications that may call an application: those whose calls are not known, too.

    Raises:
        GenerationError: it is not clear which application is meant.
    """
    found: list[App] = []
    for caller in mesh.apps:
        called = callees(mesh, caller)
        if called is None or any((each.name, each.namespace) == (app.name, app.namespace) for each in called):
            found.append(caller)
    return tuple(found)


def _callee(mesh: Mesh, caller: App, name: str, namespace: str | None) -> Callee:
    by_namespace = {app.namespace: app for app in mesh.apps if app.name == name}
    if namespace is None:
        namespace = caller.namespace
        if namespace not in by_namespace and by_namespace:
            namespace, *others = sorted(each or "" for each in by_namespace)
            if others:
                raise GenerationError(
                    f"app {caller.name} calls {name}, which is in the namespaces "
                    f"{', '.join([namespace, *others])}: write {name}.{namespace} or another one",
                    caller.settings.where,
                )
            namespace = namespace or None
    return Callee(name, namespace, by_namespace.get(namespace))
