"""The input of the templates: a module to write, with all names decided and all values checked.

Named tuples are as immutable and typed as dataclasses. Importing `dataclasses` and defining ten of them would
take a quarter of the time of a run over one small file.
"""

from __future__ import annotations

from typing import NamedTuple

from .escaping import Code


class Message(NamedTuple):
    """A message class as the module refers to it.

    Attributes:
        value: an expression for the class at run time.
        annotation: the class for type checkers; `Any` if no annotation can name it.
    """

    value: Code
    annotation: Code


class Handler(NamedTuple):
    """The signature of a servicer's method.

    Attributes:
        parameter: the first parameter after `self`, with its annotation.
        returns: the annotation of the result.
    """

    parameter: Code
    returns: Code


class Rpc(NamedTuple):
    """One rpc of a service.

    Attributes:
        path: the HTTP/2 path, `/package.Service/rpc`, as a literal.
        attribute: its Python name.
        renamed: whether that differs from its name in the proto.
        shape: `UnaryUnary`, `UnaryStream`, `StreamUnary` or `StreamStream`.
        handler, async_handler: its method in the servicers.
        envoy: the arguments of its `EnvoyHeaders`, if any are configured.
        aliases: further names that it is served under.
        comment: the comment in the proto, as text.
        deprecated: the text of the deprecation warning; empty if it is not deprecated.
    """

    path: Code
    attribute: Code
    renamed: bool
    request: Message
    response: Message
    client_streaming: bool
    server_streaming: bool
    shape: Code
    handler: Handler
    async_handler: Handler
    envoy: tuple[tuple[Code, object], ...]
    aliases: tuple[str, ...]
    comment: str
    deprecated: str


class Service(NamedTuple):
    """A service, with the names of what the module defines for it.

    Attributes:
        full_name: `package.Service`.
        constant: the name of its `dubbo_mesh.Service`.
        stub, async_stub, servicer, async_servicer, register: the names of its classes and of its function
            `add_..._to_server`.
        identity: the configured arguments of its `dubbo_mesh.Service`.
    """

    full_name: str
    constant: Code
    stub: Code
    async_stub: Code
    servicer: Code
    async_servicer: Code
    register: Code
    identity: tuple[tuple[Code, object], ...]
    rpcs: tuple[Rpc, ...]
    comment: str
    deprecated: str


class Names(NamedTuple):
    """The names of what the module imports: the usual ones, unless they are taken."""

    mesh: Code
    aio: Code
    grpc: Code
    iterator: Code
    async_iterator: Code
    property: Code
    import_module: Code


class Module(NamedTuple):
    """A Python module to write.

    Attributes:
        path: the file to write, relative to the output directory.
        source: the proto it comes from.
        imports: import statements, in blocks.
        loads: modules that no import statement can name, loaded by `importlib`: the name each is bound to,
            and the arguments.
        messages: the name of protoc's `_pb2` module of the same proto.
        sync, aio: whether to write the sync and the async classes; at least one is true.
    """

    path: str
    source: str
    comment: str
    imports: tuple[tuple[Code, ...], ...]
    loads: tuple[tuple[Code, Code], ...]
    messages: Code
    names: Names
    services: tuple[Service, ...]
    sync: bool
    aio: bool

    @property
    def uses_deprecated(self) -> bool:
        """Whether the module itself refers to what it marks as deprecated."""
        return any(service.deprecated for service in self.services)
