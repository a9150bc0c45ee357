"""The emitter of Kubernetes manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..mesh.model import File
from ..mesh.wording import sources
from ..yaml.render import Renderer
from . import ports
from . import settings as table
from .build import build, deployment_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from ..mesh.model import App, Mesh
    from .model import AppManifests

_ROOT = "kubernetes"


class KubernetesEmitter:
    """Writes a directory with a kustomize component for each application, and a component of all of these.

    Attributes:
        warnings: what some versions of Kubernetes refuse, a line each.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._renderer = Renderer(_ROOT)

    def emit(self, mesh: Mesh) -> list[File]:
        """The files.

        Raises:
            GenerationError: something cannot be written as it is configured.
        """
        settings = table.read(mesh)
        ports.check_probes(settings)
        _check_deployments(mesh)
        files: list[File] = []
        for app in mesh.apps:
            own = settings.of(app.name)
            ports.check_probes(own)
            ports.check(app, own)
            self._check_name(app)
            files += self._files(app, build(app, mesh, own))
        if files:
            files.append(self._all(mesh.apps))
        return files

    def _files(self, app: App, manifests: AppManifests) -> Iterator[File]:
        directory = f"{_ROOT}/{app.stem}"

        def file(name: str, template: str, **variables: Any) -> File:
            text = self._renderer.render(
                template, sources=sources(manifests.sources), app=manifests, **variables
            )
            return File(f"{directory}/{name}", text, f"app {app.name}")

        if manifests.service is not None:
            yield file("service.yaml", "service.yaml.j2", service=manifests.service)
        for patch in manifests.patches:
            yield file(patch.file, "deployment.yaml.j2", patch=patch)
        yield file("kustomization.yaml", "kustomization.yaml.j2", directory=directory)

    def _all(self, apps: Sequence[App]) -> File:
        """The component of all apps."""
        text = self._renderer.render(
            "all.yaml.j2",
            sources=sources(source for app in apps for source in app.sources),
            stems=tuple(app.stem for app in apps),
        )
        return File(f"{_ROOT}/kustomization.yaml", text, "all apps")

    def _check_name(self, app: App) -> None:
        """Warns of a name that Kubernetes accepts for a Service since 1.36 only (KEP-5311)."""
        if app.ports and app.name[0].isdigit():
            self.warnings.append(
                f"{app.services[0].where('app')}: app {app.name}: Kubernetes before 1.36 refuses a Service "
                "whose name begins with a digit"
            )


def _check_deployments(mesh: Mesh) -> None:
    """Checks that no Deployment is patched for two applications, the last of which would win.

    Raises:
        GenerationError: one is.
    """
    owners: dict[tuple[str | None, str], App] = {}
    for app in _configured_last(mesh.apps):
        deployment = deployment_of(app)
        other = owners.setdefault((app.namespace, deployment), app)
        if other is not app and mesh.values is not None:
            key = ("apps", app.name, "deployment")
            raise GenerationError(
                f"app {app.name} has the Deployment {deployment!r}, which is that of app {other.name} too "
                f"({_deployment_set_at(other, mesh)}): each app needs one of its own",
                mesh.values.file.where(key),
            )


def _configured_last(apps: Iterable[App]) -> list[App]:
    return sorted(apps, key=lambda app: app.settings.deployment is not None)


def _deployment_set_at(app: App, mesh: Mesh) -> str:
    if app.settings.deployment is None or mesh.values is None:
        return "by its name"
    return mesh.values.file.where(("apps", app.name, "deployment"))
