"""The pipeline: request → options → config → model → text → layout → response."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorResponse

from . import modules, options, request
from .build import build
from .errors import GenerationError, printable
from .layout import lay_out
from .render import Renderer
from .resolve import Resolver

if TYPE_CHECKING:
    from .config import Config
    from .options import Options
    from .request import Request
    from .service_config import ServiceConfig

EDITION_2023 = 1000  # of google.protobuf.Edition, which protobuf 5.27 does not have all of
EDITION_2024 = 1001
EDITION_PROTO2 = 998


class Result(NamedTuple):
    """What a run comes to: the answer, and what is worth a line on standard error."""

    response: bytes
    warnings: tuple[str, ...] = ()


def run(data: bytes, installed: frozenset[str] = frozenset()) -> Result:
    """Answers one request.

    Args:
        data: the request, as protoc serializes it.
        installed: see `Options`.

    Raises:
        MalformedRequestError: `data` is none.
    """
    response = CodeGeneratorResponse(
        supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
        | CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS,
        minimum_edition=EDITION_PROTO2,
        maximum_edition=EDITION_2024,
    )
    warnings: list[str] = []
    message = request.parse(data)
    del data  # which may be large, and is not needed any more
    try:
        _generate(request.examine(message), response, warnings, installed)
    except GenerationError as error:
        del response.file[:]
        response.error = str(error)
    except request.MalformedRequestError:
        raise
    except Exception as error:
        if not request.is_all_text(message):
            raise request.MalformedRequestError("standard input holds text that is not UTF-8") from error
        raise
    return Result(response.SerializeToString(), tuple(map(printable, warnings)))


def _generate(
    asked: Request, response: CodeGeneratorResponse, warnings: list[str], installed: frozenset[str]
) -> None:
    chosen = options.parse(asked.parameter)._replace(installed=installed)
    resolver = _resolver(asked, chosen, warnings)
    if chosen.imports == "absolute" and not chosen.import_prefix:
        warnings += _hidden(asked)
    renderer = Renderer()
    for module in build(asked, chosen, resolver):
        response.file.add(name=module.path, content=lay_out(renderer.render(module)))


def _resolver(asked: Request, chosen: Options, warnings: list[str]) -> Resolver:
    """Reads the files that the parameters name."""
    config: Config | None = None
    service_config: ServiceConfig | None = None
    if chosen.config is not None:
        from . import config as config_file

        config = config_file.read(chosen.config)
        config.check_names(_services(asked))
    if chosen.service_config is not None:
        from . import service_config as service_config_file

        service_config = service_config_file.read(chosen.service_config)
        warnings += service_config.warnings
        warnings += service_config.unmatched(_services(asked))
    return Resolver(chosen, config, service_config, has_mesh_options=asked.has_mesh_options)


def _services(asked: Request) -> dict[str, list[str]]:
    """The services of this run by their full names, with their methods."""
    return {
        f"{file.package}.{service.name}" if file.package else service.name: [
            method.name for method in service.method
        ]
        for file in asked.generate
        for service in file.service
    }


def _hidden(asked: Request) -> list[str]:
    """A warning for each package of Python's or ours that hides what is generated."""
    hidden: dict[str, str] = {}
    for file in asked.generate:
        if file.service:
            for name in (file.name, *file.dependency):
                package = modules.hiding_package(name)
                if package is not None:
                    hidden.setdefault(package, name)
    return [
        f"{name}: Python's own {package!r} hides what is generated below {package}/: "
        "put all output below a package and name that in import_prefix="
        for package, name in hidden.items()
    ]
