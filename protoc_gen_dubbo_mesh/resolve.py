"""Who wins when several say something: config, then the proto's option, then parameters, then defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .comments import SERVICE, where
from .errors import GenerationError
from .request_pb2 import MethodOptions
from .settings import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .comments import Path
    from .config import Config
    from .options import Options
    from .request_pb2 import FileDescriptorProto, MethodDescriptorProto
    from .service_config import ServiceConfig
    from .settings import Calling, Identity

_EXTENSION = 53110  # of dubbo_mesh/v1/options.proto
_SERVICE_OPTIONS = 3  # ServiceDescriptorProto.options
_METHOD_OPTIONS = 4  # MethodDescriptorProto.options
_IDEMPOTENT = frozenset({MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT})


class Resolver:
    """What is said of the services and rpcs of a run, from all sources.

    Attributes:
        has_mesh_options: whether any proto may use our options.
        says_nothing: whether nothing at all says how methods are called.
    """

    def __init__(
        self,
        options: Options,
        config: Config | None = None,
        service_config: ServiceConfig | None = None,
        *,
        has_mesh_options: bool = True,
    ) -> None:
        self.has_mesh_options = has_mesh_options
        self.says_nothing = not (has_mesh_options or config or service_config)
        self._parameters = options.identity
        self._config = config
        self._service_config = service_config

    def service(self, file: FileDescriptorProto, index: int, full_name: str) -> ResolvedService:
        """Settles what is said of a service.

        Raises:
            GenerationError: its option says something that cannot be.
        """
        service = file.service[index]
        identity = self._parameters
        defaults = NOTHING
        if self.has_mesh_options:
            from . import proto_options

            try:
                said = proto_options.of_service(service)
            except ValueError as error:
                path = (SERVICE, index)
                raise _wrong(file, f"service {full_name}: {error}", path, _SERVICE_OPTIONS) from error
            identity = said.identity.over(identity)
            defaults = said.defaults
        if self._config is not None:
            identity = self._config.identity(full_name).over(identity)
        return ResolvedService(self, file, full_name, identity, defaults)

    def said_outside(self, service: str, method: str) -> tuple[Calling, Calling]:
        """What the config and the gRPC service config say of a method."""
        return (
            self._config.calling(service, method) if self._config else NOTHING,
            self._service_config.calling(service, method) if self._service_config else NOTHING,
        )


class ResolvedService:
    """One service with what is said of it.

    Attributes:
        full_name: `package.Service`.
        identity: where its provider is.
    """

    def __init__(
        self,
        resolver: Resolver,
        file: FileDescriptorProto,
        full_name: str,
        identity: Identity,
        defaults: Calling,
    ) -> None:
        self.identity = identity
        self._resolver = resolver
        self._file = file
        self.full_name = full_name
        self._defaults = defaults

    def envoy_headers(self, method: MethodDescriptorProto, path: Path) -> Mapping[str, Any]:
        """The arguments of `EnvoyHeaders` for the rpc at `path`.

        Raises:
            GenerationError: they say something that cannot be, each alone or all together.
        """
        resolver = self._resolver
        idempotent = method.options.idempotency_level in _IDEMPOTENT
        if resolver.says_nothing and not idempotent:
            return {}
        config, grpc_config = resolver.said_outside(self.full_name, method.name)
        try:
            option = NOTHING
            if resolver.has_mesh_options:
                from . import proto_options

                option = proto_options.of_method(method)
            said = config.over(option).over(self._defaults).over(grpc_config)
            return said.envoy_headers(idempotent)
        except ValueError as error:
            message = f"rpc {self.full_name}.{method.name}: {error}"
            raise _wrong(self._file, message, path, _METHOD_OPTIONS) from error


def _wrong(file: FileDescriptorProto, message: str, path: Sequence[int], options: int) -> GenerationError:
    return GenerationError(message, where(file, (*path, options, _EXTENSION), path))
