"""What templates read: a module to write, with every name decided and every value checked.

Named tuples, not dataclasses: as frozen and as typed, but `import dataclasses` and making ten of them
takes a quarter of the time that a run over one small file has in all.
"""

from __future__ import annotations

from typing import NamedTuple

from .sinks import Code


class Message(NamedTuple):
    """A message class as the module refers to it.

    Attributes:
        value: the class, at run time.
        annotation: the class, to type checkers; `Any` where no annotation can name it.
    """

    value: Code
    annotation: Code


class Handler(NamedTuple):
    """How the method of a servicer takes requests and gives responses.

    Attributes:
        parameter: its first one behind `self`, with its annotation.
        returns: the annotation of what it returns.
    """

    parameter: Code
    returns: Code


class Rpc(NamedTuple):
    """One rpc of a service.

    Attributes:
        path: the HTTP/2 path, `/package.Service/rpc`, as a literal.
        attribute: its name in Python.
        renamed: whether that differs from its name in the proto.
        shape: `UnaryUnary`, `UnaryStream`, `StreamUnary` or `StreamStream`.
        handler, async_handler: its method in the servicers.
        envoy: the arguments of its `EnvoyHeaders`, if any are configured.
        aliases: further names that it is served under.
        comment: the proto's, as text.
        deprecated: what a deprecation warning says; empty if it is not deprecated.
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
        constant: of its `dubbo_mesh.Service`.
        stub, async_stub, servicer, async_servicer, register: of its classes and its `add_..._to_server`.
        identity: the arguments of its `dubbo_mesh.Service` that anything says.
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
    """What the module calls that which it imports: the usual names, unless they are taken."""

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
        loads: modules that no import statement can name, loaded by `importlib`: name, then arguments.
        messages: the name of protoc's `_pb2` module of the same proto.
        sync, aio: which of the twins to write; at least one.
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
