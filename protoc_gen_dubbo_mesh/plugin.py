"""The pipeline: request → options → config → model → text, laid out → response."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.message import DecodeError

from . import parameters as options
from .errors import GenerationError, printable
from .policy.precedence import Resolver
from .protoc import request
from .protoc.response import Response, refusal
from .python import modules
from .python.build import build
from .python.render import Renderer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from .parameters import Options
    from .policy.config import Config
    from .policy.service_config import ServiceConfig
    from .protoc.request import Request


class Result(NamedTuple):
    """The result of one run.

    Attributes:
        response: the serialized response, in pieces to be written one after the other.
        warnings: lines for standard error.
    """

    response: Sequence[bytes]
    warnings: tuple[str, ...] = ()


def run(stdin: BinaryIO, installed: frozenset[str] = frozenset()) -> Result:
    """Answers one request.

    Args:
        stdin: the request, as protoc serializes it.
        installed: see `Options`.

    Raises:
        MalformedRequestError: standard input holds no request.
    """
    warnings: list[str] = []
    try:
        answer = _generate(request.read(stdin), warnings, installed).pieces()
    except GenerationError as error:
        answer = [refusal(str(error))]
    except DecodeError as error:
        raise request.MalformedRequestError("standard input holds a malformed SourceCodeInfo") from error
    return Result(answer, tuple(map(printable, warnings)))


def _generate(asked: Request, warnings: list[str], installed: frozenset[str]) -> Response:
    chosen = options.parse(asked.parameter)._replace(installed=installed)
    resolver = _resolver(asked, chosen, warnings)
    if chosen.imports == "absolute" and not chosen.import_prefix:
        warnings += _hidden(asked)
    renderer = Renderer()
    response = Response()
    for module in build(asked, chosen, resolver):
        response.add(module.path, renderer.render(module))
    warnings += resolver.warnings
    return response


def _resolver(asked: Request, chosen: Options, warnings: list[str]) -> Resolver:
    """Reads the files that the parameters name."""
    config: Config | None = None
    service_config: ServiceConfig | None = None
    if chosen.config is not None:
        from .policy import config_file

        config = config_file.read(chosen.config)
        config.check_names(_services(asked))
    if chosen.service_config is not None:
        from .policy import service_config as service_config_file

        service_config = service_config_file.read(chosen.service_config)
        warnings += service_config.warnings
        warnings += service_config.unmatched(_services(asked))
    return Resolver(chosen, config, service_config, has_mesh_options=asked.has_mesh_options)


def _services(asked: Request) -> dict[str, list[str]]:
    """The services of this run by their full names, each with the names of its methods."""
    return {
        f"{file.package}.{service.name}" if file.package else service.name: [
            method.name for method in service.method
        ]
        for file in asked.generate
        for service in file.service
    }


def _hidden(asked: Request) -> list[str]:
    """A warning for each package of Python's or ours that hides generated modules."""
    hidden: dict[str, str] = {}
    for file in asked.generate:
        for name in (file.name, *file.dependency):
            package = modules.hiding_package(name)
            if package is not None:
                hidden.setdefault(package, name)
    return [
        f"{name}: Python finds the installed {package!r} before modules that are generated below {package}/: "
        "put all output below a package of your own and pass that as import_prefix="
        for package, name in hidden.items()
    ]
