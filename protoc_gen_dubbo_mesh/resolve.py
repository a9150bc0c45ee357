"""Precedence of configuration sources: config file, options in the proto, gRPC service config, parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .comments import SERVICE, where
from .errors import GenerationError
from .request_pb2 import MethodOptions
from .settings import NO_POLICY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .comments import Path
    from .config import Config
    from .options import Options
    from .request_pb2 import FileDescriptorProto, MethodDescriptorProto
    from .service_config import ServiceConfig
    from .settings import CallPolicy, Identity

_EXTENSION = 53110  # of dubbo_mesh/v1/options.proto
_SERVICE_OPTIONS = 3  # ServiceDescriptorProto.options
_METHOD_OPTIONS = 4  # MethodDescriptorProto.options
_IDEMPOTENT = frozenset({MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT})


class Resolver:
    """What is configured for the services and rpcs of one run, from all sources.

    Attributes:
        config: the config file, if there is one.
        has_mesh_options: whether any proto may use our options.
        is_empty: whether no source can configure how rpcs are called.
    """

    def __init__(
        self,
        options: Options,
        config: Config | None = None,
        service_config: ServiceConfig | None = None,
        *,
        has_mesh_options: bool = True,
    ) -> None:
        self.config = config
        self.has_mesh_options = has_mesh_options
        self.is_empty = not (has_mesh_options or config or service_config)
        self._identity = options.identity
        self._aliases = options.aliases
        self._service_config = service_config

    def service(self, file: FileDescriptorProto, index: int, full_name: str) -> ResolvedService:
        """Resolves what is configured for a service.

        Raises:
            GenerationError: a value in its option is not allowed.
        """
        service = file.service[index]
        identity, aliases = self._identity, self._aliases
        defaults = NO_POLICY
        if self.has_mesh_options:
            from . import proto_options

            try:
                option = proto_options.of_service(service)
            except ValueError as error:
                at = _option(file, (SERVICE, index), _SERVICE_OPTIONS)
                raise GenerationError(f"service {full_name}: {error}", at) from error
            identity = option.identity.with_defaults(identity)
            aliases = aliases if option.aliases is None else option.aliases
            defaults = option.defaults
        if self.config is not None:
            identity = self.config.identity(full_name).with_defaults(identity)
            configured = self.config.aliases(full_name)
            aliases = aliases if configured is None else configured
        return ResolvedService(self, file, full_name, identity, aliases or (), defaults)

    def external_policy(self, service: str, method: str) -> tuple[CallPolicy, CallPolicy]:
        """What the config file and the gRPC service config configure for an rpc."""
        return (
            self.config.call_policy(service, method) if self.config else NO_POLICY,
            self._service_config.call_policy(service, method) if self._service_config else NO_POLICY,
        )


class ResolvedService:
    """One service with everything that is configured for it.

    Attributes:
        full_name: `package.Service`.
        identity: where its provider is found.
        aliases: the kinds of aliases that its rpcs have.
    """

    def __init__(
        self,
        resolver: Resolver,
        file: FileDescriptorProto,
        full_name: str,
        identity: Identity,
        aliases: tuple[str, ...],
        defaults: CallPolicy,
    ) -> None:
        self.full_name = full_name
        self.identity = identity
        self.aliases = aliases
        self._resolver = resolver
        self._file = file
        self._defaults = defaults

    def envoy_headers(self, method: MethodDescriptorProto, path: Path) -> Mapping[str, Any]:
        """The arguments of `EnvoyHeaders` for the rpc at `path`.

        Raises:
            GenerationError: a value is not allowed, by itself or together with the others.
        """
        resolver = self._resolver
        idempotent = method.options.idempotency_level in _IDEMPOTENT
        if resolver.is_empty and not idempotent:
            return {}
        config, grpc_config = resolver.external_policy(self.full_name, method.name)
        option = NO_POLICY
        try:
            if resolver.has_mesh_options:
                from . import proto_options

                option = proto_options.of_method(method)
            policy = config.with_defaults(option).with_defaults(self._defaults).with_defaults(grpc_config)
            return policy.envoy_headers(idempotent)
        except ValueError as error:
            message = f"rpc {self.full_name}.{method.name}: {error}"
            raise GenerationError(message, _option(self._file, path, _METHOD_OPTIONS)) from error


def _option(file: FileDescriptorProto, path: Path, options: int) -> str:
    """`file:line` of our option of the service or rpc at `path`, or of that itself."""
    return where(file, (*path, options, _EXTENSION), path)
