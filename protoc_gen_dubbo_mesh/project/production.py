"""Generates all output of a run, in a temporary directory."""

from __future__ import annotations

import os
from contextlib import chdir
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from .. import plugin
from ..errors import GenerationError
from ..protoc.request import MalformedRequestError
from .message_imports import are_redirected, kept_import, message_modules, redirected
from .paths import from_text, to_text
from .plugins import Program
from .protoc import Protoc, conflict, with_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    from .progress import Progress
    from .settings import Settings
    from .sources import Sources


def request_for(settings: Settings, sources: Sources, files: Iterable[FileDescriptorProto]) -> bytes:
    """The request that protoc would send to the plugin.

    Args:
        settings: the settings of the run.
        sources: the protos.
        files: their descriptors, and those of all imported files.
    """
    return CodeGeneratorRequest(
        file_to_generate=sources.files, proto_file=files, parameter=settings.parameter
    ).SerializeToString()


class Production(NamedTuple):
    """The result of a run, apart from the files.

    Attributes:
        inputs: the names of all protos that were read, including imported ones.
        warnings: the warnings of protoc and the plugin, a line each.
    """

    inputs: tuple[str, ...]
    warnings: tuple[str, ...]


def produce(
    settings: Settings,
    sources: Sources,
    programs: Sequence[Program],
    into: Path,
    work: Path,
    progress: Progress,
) -> Production:
    """Runs protoc with all further plugins, then ours.

    The plugin runs in this process, on the descriptors that protoc would pass to it. So it need not be on the
    PATH, and its messages can be distinguished from protoc's.

    Args:
        settings: the settings of the run.
        sources: the protos.
        programs: the further plugins.
        into: an empty directory for the output.
        work: a directory for temporary files.
        progress: reports on stages that take long.

    Raises:
        GenerationError: protoc or the plugin reports an error.
    """
    count = f"{len(sources.files)} proto{'s' if len(sources.files) > 1 else ''}"
    with progress.stage(f"messages of {count}"):
        protoc = Protoc(sources, (*_protocs_own(settings), *programs), work)
        descriptors, warnings = protoc.generate(into)
        if are_redirected(settings.options):
            _redirect_imports(settings, sources, into)
    with progress.stage(f"stubs and servicers of {count}"):
        files = FileDescriptorSet.FromString(descriptors).file
        request = request_for(settings, sources, files)
        others = {file.name for file in files} - set(sources.files)
        installed = message_modules(others if are_redirected(settings.options) else ())
        try:
            with chdir(settings.project):  # where the files are that its parameters name
                result = plugin.run(BytesIO(request), installed)
        except MalformedRequestError as error:
            raise GenerationError(str(error)) from error
        response = CodeGeneratorResponse.FromString(b"".join(result.response))
    if response.error:
        raise GenerationError(with_path(response.error, sources))
    for file in response.file:
        path = into / from_text(file.name)
        if path.exists():
            raise GenerationError(conflict(file.name, [*protoc.writers(file.name), "dubbo-mesh"]))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content.encode())
    warnings += [f"warning: {with_path(line, sources)}" for line in result.warnings]
    return Production(tuple(file.name for file in files), tuple(warnings))


def _protocs_own(settings: Settings) -> list[Program]:
    """The generators of protoc itself. Unless `pyi` is set, types by mypy-protobuf replace protoc's."""
    replaced = any(plugin.name == "mypy" for plugin in settings.plugins)
    pyi = settings.pyi or ("none" if replaced else "protoc")
    return [Program(name, (), None, "") for name in ("python", *(["pyi"] if pyi == "protoc" else []))]


def _redirect_imports(settings: Settings, sources: Sources, into: Path) -> None:
    """Rewrites the imports in all Python modules, those of further plugins included.

    Raises:
        GenerationError: a plugin writes imports in a form that cannot be rewritten.
    """
    modules = {
        path: to_text(path.relative_to(into).with_suffix("")).replace(os.sep, ".")
        for path in into.rglob("*")
        if path.suffix in {".py", ".pyi"}
    }
    generated = message_modules(sources.files).union(modules.values())
    for path, module in modules.items():
        text = redirected(path.read_text(encoding="utf-8"), module, generated, settings.options)
        kept = kept_import(text, generated)
        if kept is not None:
            name = to_text(path.relative_to(into))
            raise GenerationError(
                f"{name}: imports=relative and import_prefix cannot rewrite the import {kept!r}: "
                "upgrade or remove the plugin that wrote it, or generate into a directory on sys.path"
            )
        path.write_bytes(text.encode())
