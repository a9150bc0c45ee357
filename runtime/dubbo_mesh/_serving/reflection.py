"""gRPC reflection: tools such as `buf curl` and `grpcurl` ask a server for its services and messages.

grpcio-reflection serves version `v1alpha`, and describes the files that this process has imported. Here are
added version `v1`, which newer tools ask for first and which differs in its name only, and files that are not
in protobuf's default pool, such as the health service's.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from .._contract.errors import ConfigurationError
from .._contract.logs import logger
from .._contract.service import Service
from .._health import messages as health_messages
from .._health.board import HEALTH, Board
from .._health.workers import Workers
from .handlers import handlers_of

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

_log = logger(__name__)

_T = TypeVar("_T")

_V1ALPHA = "grpc.reflection.v1alpha"
_V1 = "grpc.reflection.v1"

_THREADS = 16  # started as needed; each open call of a tool holds one
_IDLE_TIMEOUT = 3.0  # seconds; tools are rare


def reflect(server: grpc.Server | grpc.aio.Server, board: Board) -> None:
    """Adds the reflection service, in both versions, for all services that are on the server by now.

    Raises:
        ConfigurationError: grpcio-reflection is not installed.
    """
    try:
        from grpc_reflection.v1alpha import reflection, reflection_pb2
    except ImportError as error:
        raise ConfigurationError(
            "reflection=True needs grpcio-reflection: pip install 'dubbo-mesh[reflection]'"
        ) from error
    own = [f"{package}.ServerReflection" for package in (_V1, _V1ALPHA)]
    names = {*(service.name for service in board.services), HEALTH, *own}
    table = handlers_of(server)
    if table is not None:
        names |= table.service_names()
    v1alpha = cast("FileDescriptor", reflection_pb2.DESCRIPTOR)
    pools = Pools(board.services, also=(_v1_of(v1alpha), health_messages.DESCRIPTOR))
    behavior: Any
    if isinstance(server, grpc.aio.Server):
        behavior = cast("Any", reflection).aio.ReflectionServicer(names, pool=pools).ServerReflectionInfo
    else:
        servicer: Any = reflection.ReflectionServicer(names, pool=cast("DescriptorPool", pools))
        behavior = functools.partial(servicer.ServerReflectionInfo)
        # Threads of its own: a tool keeps its call open, and a server's threads are for its handlers.
        vars(behavior)["experimental_thread_pool"] = Workers(
            "dubbo-mesh-reflection", _THREADS, idle_timeout=_IDLE_TIMEOUT
        )
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
        behavior,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, methods) for name in own])


class Pools:
    """Several descriptor pools as one, as far as reflection uses it.

    What the application has imported comes first, should it have a file of the same name as one of ours.
    """

    def __init__(self, services: Iterable[Service], also: Iterable[FileDescriptor] = ()) -> None:
        """Finds the files of these services, importing them if need be.

        Args:
            services: the services to describe.
            also: further files to describe.
        """
        files = [service.descriptor for service in services if service.descriptor is not None]
        pools = [descriptor_pool.Default(), *(file.pool for file in (*files, *also))]
        self._pools: list[DescriptorPool] = list(dict.fromkeys(pools))
        for service in services:
            if not self._describes(service):
                _import_file_of(service)
                if not self._describes(service):
                    _log.warning("reflection cannot describe %s: its _pb2 module is unknown", service.name)

    def FindFileByName(self, file_name: str) -> FileDescriptor:
        """As `DescriptorPool` has it."""
        return self._first(lambda pool: pool.FindFileByName(file_name))

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:
        """As `DescriptorPool` has it."""
        return self._first(lambda pool: pool.FindFileContainingSymbol(symbol))

    def FindMessageTypeByName(self, full_name: str) -> Descriptor:
        """As `DescriptorPool` has it."""
        return self._first(lambda pool: pool.FindMessageTypeByName(full_name))

    def FindExtensionByNumber(self, message_descriptor: Descriptor, number: int) -> FieldDescriptor:
        """As `DescriptorPool` has it."""
        return message_descriptor.file.pool.FindExtensionByNumber(message_descriptor, number)

    def FindAllExtensions(self, message_descriptor: Descriptor) -> list[FieldDescriptor]:
        """As `DescriptorPool` has it."""
        return message_descriptor.file.pool.FindAllExtensions(message_descriptor)

    def _first(self, find: Callable[[DescriptorPool], _T]) -> _T:
        for pool in self._pools:
            try:
                return find(pool)
            except KeyError:
                continue
        raise KeyError("no file of this process has it")

    def _describes(self, service: Service) -> bool:
        try:
            self.FindFileContainingSymbol(service.name)
        except KeyError:
            return False
        return True


def _import_file_of(service: Service) -> None:
    """Imports the `_pb2` module of a service whose generated module has not done so.

    Modules of API version 1 import the files of their messages, which need not be those of their services.
    """
    for generated in _modules_of(service):
        name = f"{generated.removesuffix('_mesh')}_pb2"
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - reflection is not worth a server that does not start
            _log.debug("%s cannot be imported to describe %s", name, service.name, exc_info=True)


def _modules_of(service: Service) -> list[str]:
    """Names of generated modules that have a class of `service`."""
    return [
        name
        for name, module in tuple(sys.modules.items())
        if name.endswith("_mesh")
        and any(getattr(each, "__mesh__", None) is service for each in tuple(vars(module).values()))
    ]


def _v1_of(v1alpha: FileDescriptor) -> FileDescriptor:
    """Version v1 of the reflection service, which differs from v1alpha in its package only."""
    file = FileDescriptorProto()
    v1alpha.CopyToProto(file)
    file.name, file.package = "grpc/reflection/v1/reflection.proto", _V1
    for message in file.message_type:
        for field in message.field:
            if field.HasField("type_name"):
                field.type_name = field.type_name.replace(_V1ALPHA, _V1)
    for service in file.service:
        for method in service.method:
            method.input_type = method.input_type.replace(_V1ALPHA, _V1)
            method.output_type = method.output_type.replace(_V1ALPHA, _V1)
    pool = DescriptorPool()
    pool.Add(file)
    return pool.FindFileByName(file.name)
