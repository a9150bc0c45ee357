"""The pipeline: request → parameters → policy → files → response."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.message import DecodeError

from . import parameters
from .errors import GenerationError, printable
from .policy.precedence import Resolver
from .protoc import request
from .protoc.response import Response, refusal
from .python.emitter import PythonEmitter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from .policy.model import ServicePolicy
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
        installed: see `PythonParameters`.

    Raises:
        MalformedRequestError: standard input holds no request.
    """
    warnings: list[str] = []
    try:
        answer = _generate(request.read(stdin), installed, warnings).pieces()
    except GenerationError as error:
        answer = [refusal(str(error))]
    except DecodeError as error:
        raise request.MalformedRequestError("standard input holds a malformed SourceCodeInfo") from error
    return Result(answer, tuple(map(printable, warnings)))


def _generate(received: Request, installed: frozenset[str], warnings: list[str]) -> Response:
    given = parameters.parse(received.parameter, installed)
    resolver = Resolver(given.policy, received)
    python = PythonEmitter(given.python, received) if "python" in given.emit else None
    needs_mesh = any(kind != "python" for kind in given.emit)
    if needs_mesh and received.buf_directories:
        from .protoc import buf

        warnings += buf.check_runs(received)
    services: list[ServicePolicy] = []
    response = Response()
    while received.generate:
        file = received.generate.popleft()
        in_file = resolver.resolve(file)
        if python is not None:
            path, content = python.emit(file, in_file)
            response.add(path, content, file.name)
        if needs_mesh:
            services += in_file
    warnings += resolver.warnings
    if python is not None:
        warnings += python.warnings
    if needs_mesh:
        from .manifests import add_manifests

        warnings += add_manifests(response, given, resolver.config, services)
    return response
