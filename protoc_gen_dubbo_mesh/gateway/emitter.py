"""Writes `gateway/<app>.yaml`: the routes of each application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mesh.model import File
from ..yaml.render import Renderer
from . import inexpressible
from .backends import Backends
from .build import RouteFileBuilder

if TYPE_CHECKING:
    from ..mesh.model import Mesh


class GatewayEmitter:
    """Writes the routes of applications.

    Args:
        with_istio: whether files for Istio are written too, which routes win over.

    Attributes:
        warnings: what routes cannot say, a line each.
    """

    def __init__(self, *, with_istio: bool) -> None:
        self.warnings: list[str] = []
        self._with_istio = with_istio

    def emit(self, mesh: Mesh) -> list[File]:
        """A file for each application that has services.

        Raises:
            GenerationError: something is beyond the API's limits.
        """
        builder = RouteFileBuilder(mesh.enforced_by, with_istio=self._with_istio)
        backends = Backends(mesh.apps)
        renderer = Renderer("gateway")
        files: list[File] = []
        for app in mesh.providers:
            file = builder.build(app, backends.of(app))
            text = renderer.render("app.yaml.j2", file=file)
            files.append(File(file.path, text, f"app {app.name}"))
            self.warnings += inexpressible.of_app(app, mesh.enforced_by, with_istio=self._with_istio)
            self.warnings += inexpressible.of_routes(app, file.routes)
        self.warnings += inexpressible.of_run(mesh, with_istio=self._with_istio)
        return files
