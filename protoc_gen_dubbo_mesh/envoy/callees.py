"""Which applications an application calls, as far as the config says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..mesh.model import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from ..mesh.calls import Callee, Calls
    from ..mesh.model import App, Mesh

CONSUMER = "consumer"
"""The name of the files for a process that is not one of the applications."""


def needs_consumer(mesh: Mesh) -> bool:
    """Whether there are files for a consumer: no application declares which ones it calls.

    Raises:
        GenerationError: there are, and an application's file has the same name.
    """
    if not mesh.providers or any(app.settings.calls for app in mesh.apps):
        return False
    for app in mesh.apps:
        if app.stem == CONSUMER:
            raise GenerationError(
                f"app {CONSUMER} has the name of the file for processes that are none of the apps, which is "
                "written as long as no app declares what it calls: set apps.NAME.calls in the config, or "
                "rename the app",
                app.where,
            )
    return True


def callees_of(mesh: Mesh, calls: Calls, app: App) -> tuple[tuple[App, ...], list[str]]:
    """The applications that an application calls, by namespace and name, if this run has services of them.

    Returns:
        The applications, and a warning for each other one. Those may be databases, say, which Istio has to
        know of.

    Raises:
        GenerationError: it is not clear which application is meant.
    """
    found: list[App] = []
    warnings: list[str] = []
    for callee in calls.callees(app) or ():
        known = _known(mesh, callee)
        if known is None:
            warnings.append(_unknown(mesh, app, callee))
        else:
            found.append(known)
    return tuple(found), warnings


def host(callee: App, caller_namespace: str, domain: str) -> str:
    """The host name by which an application is called.

    Args:
        callee: the application. If it has no namespace, it is in that of its caller, as for stubs.
        caller_namespace: that of the caller.
        domain: the cluster's.
    """
    return callee._replace(namespace=callee.namespace or caller_namespace).host(domain)


def namespace_of(app: App) -> str:
    """The namespace that an application runs in."""
    return app.namespace or DEFAULT_NAMESPACE


def _known(mesh: Mesh, callee: Callee) -> App | None:
    if callee.app is not None and callee.app.ports:
        return callee.app
    for each in mesh.providers:
        if each.name == callee.name and namespace_of(each) == (callee.namespace or DEFAULT_NAMESPACE):
            return each
    return None


def _unknown(mesh: Mesh, app: App, callee: Callee) -> str:
    named = [each for each in mesh.providers if each.name == callee.name] or mesh.providers
    known = ", ".join(f"{each.name}.{namespace_of(each)}" for each in named)
    shown = f"{callee.name}.{callee.namespace}" if callee.namespace else callee.name
    where = app.settings.where
    if mesh.values is not None:
        where = mesh.values.file.where(("apps", app.name, "calls"))
    return (
        f"{where}: app {app.name} calls {shown}, of which this run has no services, only of "
        f"{known or 'no app'}: a static Envoy needs its ports, and has no route there"
    )
