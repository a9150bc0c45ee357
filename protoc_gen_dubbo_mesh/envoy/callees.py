"""Which applications an application calls, as far as the config says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..mesh.model import DEFAULT_NAMESPACE
from .ports import where_of

if TYPE_CHECKING:
    from ..mesh.model import App, Mesh

CONSUMER = "consumer"
"""The name of the files for a process that is none of the applications."""


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
                where_of(app),
            )
    return True


def callees_of(mesh: Mesh, app: App) -> tuple[App, ...]:
    """The applications that an application calls, in the order of the config.

    Raises:
        GenerationError: this run has no services of one of them, or several fit its name.
    """
    return tuple(_callee(mesh, app, name, namespace) for name, namespace in app.settings.calls or ())


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


def _callee(mesh: Mesh, app: App, name: str, namespace: str | None) -> App:
    named = [each for each in mesh.providers if each.name == name]
    found = [each for each in named if namespace in {None, each.namespace, namespace_of(each)}]
    if len(found) > 1:
        found = [each for each in found if namespace_of(each) == namespace_of(app)] or found
    if len(found) == 1:
        return found[0]
    shown = f"{name}.{namespace}" if namespace else name
    where = app.settings.where
    if mesh.values is not None:
        where = mesh.values.file.where(("apps", app.name, "calls"))
    if found:
        raise GenerationError(
            f"app {app.name} calls {shown}, which is in namespaces "
            f"{' and '.join(map(namespace_of, found))}: add the namespace, as in {name}."
            f"{namespace_of(found[0])}",
            where,
        )
    known = ", ".join(f"{each.name}.{namespace_of(each)}" for each in named or mesh.providers)
    raise GenerationError(
        f"app {app.name} calls {shown}, and this run has no services of it, only of {known or 'no app'}: "
        "a static Envoy needs its ports, so generate from its protos as well, or remove it",
        where,
    )
