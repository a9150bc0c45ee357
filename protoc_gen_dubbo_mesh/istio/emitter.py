"""The emitter of Istio's resources: a file for each application, and one for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..mesh.calls import Calls
from ..mesh.model import File
from ..yaml.render import Renderer
from . import build, limits, settings

if TYPE_CHECKING:
    from ..mesh.model import App, Mesh
    from .model import AppFile


class IstioEmitter:
    """Writes Istio's resources.

    Attributes:
        warnings: what they cannot express, a line each.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._renderer = Renderer("istio")

    def emit(self, mesh: Mesh) -> list[File]:
        """The files.

        Raises:
            GenerationError: something cannot be written as it is configured.
        """
        configured = settings.read(mesh)
        calls = Calls(mesh)
        by_headers = mesh.enforced_by == "headers"
        addresses = build.internal_addresses(mesh, configured)
        files: list[File] = []
        for app in mesh.apps:
            if not by_headers:
                limits.check(app)
                self.warnings += limits.warnings(app)
            built = build.app_file(app, calls, configured, addresses, by_headers=by_headers)
            if addresses is not None and built is not None and built.path == addresses.path:
                raise GenerationError(
                    f"app {app.name} has the name of the file about the internal addresses of all apps: "
                    "rename it, or set istio.internal_addresses = [] if these are configured elsewhere",
                    app.services[0].where("app") if app.services else app.settings.where,
                )
            if built is not None:
                files.append(File(built.path, self._app(app, built), f"app {app.name}"))
        if addresses is not None:
            content = self._renderer.render("internal_addresses.yaml.j2", file=addresses)
            files.append(File(addresses.path, content, "the internal addresses of all apps"))
        return files

    def _app(self, app: App, built: AppFile) -> str:
        content = self._renderer.render("app.yaml.j2", file=built, apply="kubectl apply")
        size = len(content)
        if size <= limits.LARGEST_CLIENT_SIDE:
            return content
        where = app.services[0].declaration.where
        also = ""
        if size > limits.LARGEST:
            also = f"; the API server refuses what is larger than about {limits.LARGEST // 1000} kB"
        self.warnings.append(
            f"{where}: {built.path} has {size // 1000} kB, which needs kubectl apply --server-side (in Argo "
            f"CD: ServerSideApply=true): otherwise an annotation has all of it, and is too long{also}"
        )
        return self._renderer.render("app.yaml.j2", file=built, apply="kubectl apply --server-side")
