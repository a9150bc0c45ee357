"""Generates all output of a run, in a temporary directory."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from .. import plugin
from ..errors import GenerationError
from ..protoc.request import MalformedRequestError
from .message_imports import are_redirected, message_modules, redirected
from .protoc import compile_messages, with_path

if TYPE_CHECKING:
    from .progress import Progress
    from .settings import Settings
    from .sources import Sources


class Made(NamedTuple):
    """What is known about a run, apart from its output.

    Attributes:
        inputs: the names of all protos that were read, including imported ones.
        warnings: the warnings of protoc and the plugin, a line each.
    """

    inputs: tuple[str, ...]
    warnings: tuple[str, ...]


def produce(settings: Settings, sources: Sources, into: Path, work: Path, progress: Progress) -> Made:
    """Runs protoc, then the plugin.

    The plugin runs in this process, on the descriptors that protoc would pass to it. So it need not be on the
    PATH, and its messages can be distinguished from protoc's.

    Args:
        settings: the settings of the run.
        sources: the protos.
        into: an empty directory for the output.
        work: a directory for temporary files.
        progress: reports on stages that take long.

    Raises:
        GenerationError: protoc or the plugin reports an error.
    """
    count = f"{len(sources.files)} proto{'s' if len(sources.files) > 1 else ''}"
    with progress.stage(f"messages of {count}"):
        descriptors, warnings = compile_messages(sources, into, work)
        if are_redirected(settings.options):
            _redirect_imports(settings, sources, into)
    with progress.stage(f"stubs and servicers of {count}"):
        files = FileDescriptorSet.FromString(descriptors).file
        request = CodeGeneratorRequest(
            file_to_generate=sources.files, proto_file=files, parameter=settings.parameter
        )
        others = {file.name for file in files} - set(sources.files)
        installed = message_modules(others if are_redirected(settings.options) else ())
        try:
            result = plugin.run(BytesIO(request.SerializeToString()), installed)
        except MalformedRequestError as error:
            raise GenerationError(str(error)) from error
        response = CodeGeneratorResponse.FromString(b"".join(result.response))
    if response.error:
        raise GenerationError(with_path(response.error, sources))
    for file in response.file:
        path = into / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content.encode())
    warnings += [f"warning: {with_path(line, sources)}" for line in result.warnings]
    return Made(tuple(file.name for file in files), tuple(warnings))


def _redirect_imports(settings: Settings, sources: Sources, into: Path) -> None:
    generated = message_modules(sources.files)
    for module in generated:
        for suffix in (".py", ".pyi"):
            path = into / (module.replace(".", "/") + suffix)
            text = redirected(path.read_text(encoding="utf-8"), module, generated, settings.options)
            path.write_bytes(text.encode())
