"""The effective policies of a project's services."""

from __future__ import annotations

import tempfile
from contextlib import chdir
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from .. import parameters
from ..errors import GenerationError
from ..policy.precedence import Resolver
from ..protoc import request
from . import sources as protos
from .production import request_for
from .protoc import Protoc, with_path

if TYPE_CHECKING:
    from ..parameters import Parameters
    from ..policy.model import ServicePolicy
    from .settings import Settings
    from .sources import Sources


class Resolved(NamedTuple):
    """The effective policies of a project's services.

    Attributes:
        sources: the protos.
        services: the policies, in the order of the protos' names.
        given: the plugin's parameters.
        warnings: the warnings of protoc and about the policies, a line each.
    """

    sources: Sources
    services: tuple[ServicePolicy, ...]
    given: Parameters
    warnings: tuple[str, ...]


def resolve(settings: Settings) -> Resolved:
    """Runs protoc and resolves the policies, as `generate` does, and writes nothing.

    Raises:
        GenerationError: the settings or protos have an error, or a file cannot be read.
    """
    sources = protos.find(settings)
    with tempfile.TemporaryDirectory(prefix="dubbo-mesh-") as directory:
        work = Path(directory)
        descriptors, warnings = Protoc(sources, (), work).generate(work)
    files = FileDescriptorSet.FromString(descriptors).file
    try:
        received = request.read(BytesIO(request_for(settings, sources, files)))
        given = parameters.parse(received.parameter)
        with chdir(settings.project):  # where the files are that its parameters name
            resolver = Resolver(given.policy, received)
        services = tuple(service for file in received.generate for service in resolver.resolve(file))
    except GenerationError as error:
        raise GenerationError(with_path(str(error), sources)) from error
    warnings += [with_path(line, sources) for line in resolver.warnings]
    return Resolved(sources, services, given, tuple(warnings))
