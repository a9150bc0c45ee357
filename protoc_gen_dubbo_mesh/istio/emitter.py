"""The emitter of Istio's resources: a file for each application, and one for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..mesh.calls import Calls
from ..mesh.model import File
from ..yaml.render import Renderer
from . import build, limits, settings

if TYPE_CHECKING:
    from ..mesh.model import Mesh


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
            if built is not None:
                content = self._renderer.render("app.yaml.j2", file=built)
                files.append(File(built.path, content, f"app {app.name}"))
        if addresses is not None:
            content = self._renderer.render("internal_addresses.yaml.j2", file=addresses)
            files.append(File(addresses.path, content, "the internal addresses of all apps"))
        return files
