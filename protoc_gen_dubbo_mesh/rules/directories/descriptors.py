"""Hosts from protos: applications, their services with all methods, and what `emit=istio` writes for them."""

from __future__ import annotations

import tempfile
from contextlib import chdir
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from ... import parameters
from ...errors import GenerationError
from ...istio import build
from ...istio import settings as istio_settings
from ...mesh.calls import Calls
from ...mesh.grouping import Grouping
from ...policy.aliases import KINDS
from ...policy.precedence import Resolver
from ...project import settings as project_settings
from ...project import sources as proto_sources
from ...project.protoc import Protoc, with_path
from ...project.settings import file_error, shown
from ...project.sources import Sources
from ...protoc import request
from ..directory import Host

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...istio.model import AppFile
    from ...mesh.model import App, Mesh
    from ...policy.model import ServicePolicy
    from ...project.settings import Settings

_OWN = ("google/protobuf/", "dubbo_mesh/")
"""Protos of ours and of protobuf's, which are in a set of descriptors with all imports."""


class _Found(NamedTuple):
    """Descriptors of protos.

    Attributes:
        files: by name, with all imports that are known.
        own: the names of those whose services count.
        sources: where the protos are, for messages.
    """

    files: dict[str, FileDescriptorProto]
    own: list[str]
    sources: Sources


def hosts_of(protos: Sequence[str], apps: Mapping[str, str]) -> list[Host]:
    """The hosts of protos.

    The settings of the project in the working directory count (`[tool.dubbo-mesh.options]`), as they do when
    it is generated from: they may name applications, and a config.

    Args:
        protos: directories of protos, and files of descriptors.
        apps: the applications of services whose protos name none.

    Raises:
        GenerationError: the protos or settings have an error, or a file cannot be read.
    """
    try:
        settings = _settings([path for path in map(Path, protos) if not path.is_file()])
        return _hosts(settings, [path for path in map(Path, protos) if path.is_file()], apps)
    except OSError as error:
        raise file_error(error) from error


def _settings(roots: Sequence[Path]) -> Settings:
    here = Path.cwd()
    given = [str(root.absolute()) for root in roots]
    # Neither is needed to read descriptors, and must be set in a project.
    return project_settings.read(here, {"roots": given or [str(here)], "out": str(here)})._replace(
        roots=tuple(map(Path, given))
    )


def _hosts(settings: Settings, sets: Sequence[Path], apps: Mapping[str, str]) -> list[Host]:
    found = _compiled(settings) if settings.roots else _Found({}, [], Sources({}, ()))
    for path in sets:
        _add_set(found, path)
    if not found.own:
        raise GenerationError(f"there is no service in {', '.join(map(shown, sets))}")
    message = CodeGeneratorRequest(
        file_to_generate=found.own, proto_file=found.files.values(), parameter=settings.parameter
    )
    try:
        # A set without imports lacks the file with our options, and may use them nevertheless.
        received = request.read(BytesIO(message.SerializeToString()))._replace(has_mesh_options=True)
        given = parameters.parse(received.parameter)
        with chdir(settings.project):  # where the files are that its parameters name
            resolver = Resolver(given.policy, received)
        services = [_named(each, apps) for file in received.generate for each in resolver.resolve(file)]
        mesh = Grouping(resolver.config, given.policy.policy).group(services)
        return [_host(app, file) for app, file in _app_files(mesh)]
    except GenerationError as error:
        raise GenerationError(with_path(str(error), found.sources)) from error


def _compiled(settings: Settings) -> _Found:
    sources = proto_sources.find(settings)
    with tempfile.TemporaryDirectory(prefix="dubbo-mesh-") as directory:
        work = Path(directory)
        descriptors, _ = Protoc(sources, (), work).generate(work)
    files = {file.name: file for file in FileDescriptorSet.FromString(descriptors).file}
    return _Found(files, [*sources.files], sources)


def _add_set(found: _Found, path: Path) -> None:
    try:
        files = FileDescriptorSet.FromString(path.read_bytes()).file
    except DecodeError as error:
        raise GenerationError(
            "no descriptor set, which protoc --descriptor_set_out writes: give one, or a directory of protos",
            shown(path),
        ) from error
    for file in files:
        if file.name not in found.files:
            found.files[file.name] = file
            if file.service and not file.name.startswith(_OWN):
                found.own.append(file.name)


def _named(service: ServicePolicy, apps: Mapping[str, str]) -> ServicePolicy:
    """A service with the application that `--app` names, if its proto names none."""
    if service.identity.app is not None or service.name not in apps:
        return service
    try:
        identity = service.identity._replace(app=apps[service.name]).checked(f"--app {service.name}: ")
    except ValueError as error:
        raise GenerationError(str(error)) from error
    return service._replace(identity=identity)


def _app_files(mesh: Mesh) -> list[tuple[App, AppFile | None]]:
    """The applications that have services, each with the file that `emit=istio` writes for it."""
    configured = istio_settings.read(mesh)
    calls = Calls(mesh)
    by_headers = mesh.enforced_by == "headers"
    addresses = build.internal_addresses(mesh, configured)
    return [
        (app, build.app_file(app, calls, configured, addresses, by_headers=by_headers))
        for app in mesh.providers
    ]


def _host(app: App, emitted: AppFile | None) -> Host:
    return Host(
        name=app.name,
        namespace=app.namespace,
        services={service.name: _methods(service) for service in app.services},
        selector=app.selector,
        emitted=emitted,
        ports=tuple([(service.name, port.number) for port in app.ports for service in port.services]),
    )


def _methods(service: ServicePolicy) -> tuple[str, ...]:
    """All names that the rpcs of a service are called by.

    Java's consumers call `sayHello` for the rpc `SayHello`, unless they use a generated stub. So rules name
    it, and so do requests, whether or not the protos ask for such an alias.
    """
    names: dict[str, None] = {}
    for rpc in service.rpcs:
        names |= dict.fromkeys((rpc.name, *rpc.aliases))
    for rpc in service.rpcs:
        names |= dict.fromkeys([alias(rpc.name) for alias in KINDS.values()])
    return tuple(names)
