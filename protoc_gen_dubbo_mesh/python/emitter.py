"""The emitter of Python: a module of stubs and servicers for each file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import modules
from .build import build
from .render import Renderer

if TYPE_CHECKING:
    from ..policy.model import ServicePolicy
    from ..protoc.descriptors_pb2 import FileDescriptorProto
    from ..protoc.request import Request
    from .parameters import PythonParameters


class PythonEmitter:
    """Writes the module of each file.

    Attributes:
        warnings: a line each.
    """

    def __init__(self, parameters: PythonParameters, request: Request) -> None:
        self._parameters = parameters
        self._messages = request.messages
        self._renderer = Renderer()
        is_below_a_package = parameters.imports == "relative" or parameters.import_prefix
        self.warnings = [] if is_below_a_package else _hidden(request)

    def emit(self, file: FileDescriptorProto, services: tuple[ServicePolicy, ...]) -> tuple[str, str]:
        """The path and the text of a file's module.

        Raises:
            GenerationError: there is no such module.
        """
        module = build(file, services, self._messages, self._parameters)
        return module.path, self._renderer.render(module)


def _hidden(request: Request) -> list[str]:
    """A warning for each installed package that hides generated modules."""
    hidden: dict[str, str] = {}
    # Each name once: most files import the same few.
    for name in dict.fromkeys(name for file in request.generate for name in (file.name, *file.dependency)):
        package = modules.hiding_package(name)
        if package is not None:
            hidden.setdefault(package, name)
    return [
        f"{name}: Python finds the installed {package!r} before modules that are generated below {package}/: "
        "put all output below a package of your own and pass that as import_prefix="
        for package, name in hidden.items()
    ]
