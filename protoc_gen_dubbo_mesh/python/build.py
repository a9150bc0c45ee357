"""From descriptors to the model: all decisions about the output are made here."""

from __future__ import annotations

import keyword
from functools import partial
from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..protoc.identifiers import is_proto_name
from ..protoc.source_info import METHOD, SERVICE, Comments, described, where
from . import modules, names
from .escaping import Code, literal
from .imports import Imports
from .model import Handler, Message, Module, Names, Rpc, Service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..policy.model import RpcPolicy, ServicePolicy
    from ..protoc.descriptors_pb2 import FileDescriptorProto, MethodDescriptorProto
    from ..protoc.message_index import MessageIndex
    from ..protoc.source_info import Path
    from .imports import Bound
    from .parameters import PythonParameters

OwnNames = tuple[Code, Code, Code]
PB2 = "_pb2"
MESH = "_mesh"
_SHAPES = {
    (False, False): Code("UnaryUnary"),
    (False, True): Code("UnaryStream"),
    (True, False): Code("StreamUnary"),
    (True, True): Code("StreamStream"),
}
_KEYWORDS = frozenset(keyword.kwlist)
_IDENTITY = ("app", "namespace", "port", "version", "group")  # the arguments of a dubbo_mesh.Service


def build(
    file: FileDescriptorProto,
    services: Sequence[ServicePolicy],
    messages: MessageIndex,
    parameters: PythonParameters,
) -> Module:
    """Builds the module of a file.

    Args:
        file: the file.
        services: the policies of its services.
        messages: the messages of all files.
        parameters: the parameters of generated Python.

    Raises:
        GenerationError: the module cannot be generated.
    """
    return _ModuleBuilder(file, services, messages, parameters).build()


class _ModuleBuilder:
    """Builds the module of one file."""

    def __init__(
        self,
        file: FileDescriptorProto,
        services: Sequence[ServicePolicy],
        messages: MessageIndex,
        parameters: PythonParameters,
    ) -> None:
        self._file = file
        self._services = services
        self._rpcs = [
            [((SERVICE, index, METHOD, number), method) for number, method in enumerate(service.method)]
            for index, service in enumerate(file.service)
        ]
        self._package = f"{file.package}." if file.package else ""
        self._messages = messages
        self._parameters = parameters
        self._comments = Comments(file)
        # Not a bound method: that would be a reference cycle, which is never freed (see __main__).
        self._describe = partial(described, file)
        self._symbols = names.Symbols(self._describe)
        self._deprecated = file.options.deprecated
        self._module = modules.module_of(file.name, MESH)

    def build(self) -> Module:
        file = self._file
        indexes = range(len(file.service))
        attributes = [self._attributes(index) for index in indexes]
        shadowed = {attribute for service in attributes for attribute in service}
        self._claim_known_names()
        own = [self._own_names(service.name, shadowed) for service in file.service]
        self._imports = Imports(self._symbols, shadowed, self._module.rpartition(".")[0], self._parameters)
        imported = self._import_libraries()
        messages, self._message_of = self._import_messages()
        if self._imports.loads:
            imported = imported._replace(import_module=self._imports.load_function())
        self._names = imported
        services = tuple(self._service(index, attributes[index], own[index]) for index in indexes)
        return Module(
            path=modules.path_of(self._module),
            source=file.name,
            comment=self._comments.of_file(),
            imports=self._imports.blocks(),
            loads=tuple(self._imports.loads),
            messages=messages,
            names=imported,
            services=services,
            sync=self._parameters.api != "async",
            aio=self._parameters.api != "sync",
        )

    def _attributes(self, index: int) -> list[Code]:
        """The Python names of a service's rpcs."""
        rpcs = [(self._checked(method.name, path), path) for path, method in self._rpcs[index]]
        return names.attributes(rpcs, self._describe)

    def _claim_known_names(self) -> None:
        """Reserves the names that protoc's `_pb2_grpc` has, before others can take them."""
        for index, service in enumerate(self._file.service):
            path = (SERVICE, index)
            self._checked(self._package + service.name, path)
            for known in _known_names(service.name):
                self._symbols.claim(known, path)

    def _checked(self, name: str, path: Path) -> str:
        if not is_proto_name(name):
            raise GenerationError(f"{name!r} is not a name that protobuf allows", where(self._file, path))
        return name

    def _own_names(self, service: str, shadowed: set[Code]) -> OwnNames:
        """The names of a service's constant and of its async classes."""
        constant = names.constant(service)
        while constant in shadowed:
            constant += "_"
        derive = self._symbols.derive
        return derive(constant), derive(f"{service}AsyncStub"), derive(f"{service}AsyncServicer")

    def _import_libraries(self) -> Names:
        """Imports the libraries that the classes need, under their usual names unless those are taken."""
        imports = self._imports
        api = self._parameters.api
        rpcs = [method for service in self._rpcs for _, method in service]
        streams = any(rpc.client_streaming or rpc.server_streaming for rpc in rpcs)
        deprecated_rpcs = any(rpc.options.deprecated for rpc in rpcs)
        unused = Code("")
        return Names(
            mesh=imports.module("dubbo_mesh"),
            aio=imports.module("dubbo_mesh.aio") if api != "sync" else unused,
            grpc=imports.module("grpc"),
            iterator=(
                imports.member("collections.abc", "Iterator") if streams and api != "async" else unused
            ),
            async_iterator=(
                imports.member("collections.abc", "AsyncIterator") if streams and api != "sync" else unused
            ),
            property=imports.builtin("property") if deprecated_rpcs else unused,
            import_module=unused,
        )

    def _import_messages(self) -> tuple[Code, dict[str, Message]]:
        """Imports the `_pb2` modules of this file and of all messages that the rpcs use.

        Returns:
            What the file's own module is bound to, and how to refer to each message by its full name.
        """
        homes: dict[str, tuple[str, str]] = {}
        own = modules.module_of(self._file.name, PB2)
        files = {own: self._file.name}
        for service in self._rpcs:
            for path, method in service:
                for type_name in (method.input_type, method.output_type):
                    if type_name not in homes:
                        homes[type_name] = self._find(type_name, files, path)
        bound = self._imports.generated(files)
        messages = {
            type_name: self._message(bound[module], name) for type_name, (module, name) in homes.items()
        }
        return bound[own].name, messages

    def _find(self, type_name: str, files: dict[str, str], path: Path) -> tuple[str, str]:
        """The module of a message, and its name there; adds the module and its proto to `files`."""
        found = self._messages.find(type_name)
        if found is None:
            raise GenerationError(
                f"no file of the request defines the message {type_name!r}", where(self._file, path)
            )
        file, name = found
        module = modules.module_of(file, PB2)
        other = files.setdefault(module, file)
        if other != file:
            raise GenerationError(
                f"{other!r} and {file!r} would both be the module {module!r}: rename one",
                where(self._file, path),
            )
        return module, self._checked(name, path)

    def _message(self, module: Bound, name: str) -> Message:
        """How the module refers to a message."""
        parts = name.split(".")
        if module.typed and _KEYWORDS.isdisjoint(parts):
            code = Code(f"{module.name}.{name}")
            return Message(code, code)
        value: str = module.name
        for part in parts:
            value = f"getattr({value}, {literal(part)})" if part in _KEYWORDS else f"{value}.{part}"
        return Message(Code(value), self._imports.member("typing", "Any"))

    def _service(self, index: int, attributes: list[Code], own: OwnNames) -> Service:
        service = self._file.service[index]
        policy = self._services[index]
        stub, servicer, register = map(Code, _known_names(service.name))
        constant, async_stub, async_servicer = own
        return Service(
            full_name=policy.name,
            constant=constant,
            stub=stub,
            async_stub=async_stub,
            servicer=servicer,
            async_servicer=async_servicer,
            register=register,
            identity=tuple(
                [
                    (Code(field), value)
                    for field in _IDENTITY
                    if (value := getattr(policy.identity, field)) is not None
                ]
            ),
            rpcs=tuple(
                [
                    self._rpc(method, path, attribute, rpc)
                    for (path, method), attribute, rpc in zip(
                        self._rpcs[index], attributes, policy.rpcs, strict=True
                    )
                ]
            ),
            comment=self._comments.at((SERVICE, index)),
            deprecated=f"service {policy.name} is deprecated"
            if self._deprecated or service.options.deprecated
            else "",
        )

    def _rpc(self, method: MethodDescriptorProto, path: Path, attribute: Code, policy: RpcPolicy) -> Rpc:
        request, response = self._message_of[method.input_type], self._message_of[method.output_type]
        streams = policy.client_streaming, policy.server_streaming
        handler = _handler(request, response, streams, self._names.iterator)
        return Rpc(
            path=literal(policy.path),
            attribute=attribute,
            renamed=attribute != policy.name,
            request=request,
            response=response,
            client_streaming=streams[0],
            server_streaming=streams[1],
            shape=_SHAPES[streams],
            handler=handler,
            async_handler=_handler(request, response, streams, self._names.async_iterator)
            if any(streams)
            else handler,
            envoy=tuple([(Code(field), value) for field, value in policy.headers.items()]),
            aliases=policy.aliases,
            comment=self._comments.at(path),
            deprecated=f"rpc {policy.full_name} is deprecated" if method.options.deprecated else "",
        )


def _handler(request: Message, response: Message, streams: tuple[bool, bool], iterator: Code) -> Handler:
    parameter = f"request: {request.annotation}"
    returns = response.annotation
    if streams[0]:
        parameter = f"request_iterator: {iterator}[{request.annotation}]"
    if streams[1]:
        returns = Code(f"{iterator}[{returns}]")
    return Handler(Code(parameter), returns)


def _known_names(service: str) -> tuple[str, str, str]:
    """What protoc's `_pb2_grpc` calls the stub, the servicer and the function to add one."""
    return f"{service}Stub", f"{service}Servicer", f"add_{service}Servicer_to_server"
