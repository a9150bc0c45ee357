"""Precedence of configuration sources: config file, options in the proto, gRPC service config, parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import GenerationError
from ..protoc.descriptors_pb2 import MethodOptions
from ..protoc.source_info import SERVICE, where
from .model import NO_POLICY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..parameters import Options
    from ..protoc.descriptors_pb2 import FileDescriptorProto, MethodDescriptorProto
    from ..protoc.source_info import Path
    from .config import Config
    from .model import CallPolicy, Identity
    from .service_config import ServiceConfig

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
        self._ending_calls: dict[tuple[str, str], list[str]] = {}

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

    def warn_of_per_try_timeout(self, at: str, rpc: str, reason: str) -> None:
        """Adds a warning that a per-try timeout, which is set at `at`, ends calls of an rpc."""
        self._ending_calls.setdefault((at, reason), []).append(rpc)

    @property
    def warnings(self) -> list[str]:
        """What was resolved as configured and is hardly intended: one line for each place that causes it."""
        return [
            f"{at}: per_try_timeout ends calls of rpc {rpcs[0]}{_and_more(rpcs)} "
            f"at the first slow attempt: {reason}"
            for (at, reason), rpcs in self._ending_calls.items()
        ]


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
            headers = policy.envoy_headers(idempotent)
        except ValueError as error:
            message = f"rpc {self.full_name}.{method.name}: {error}"
            raise GenerationError(message, _option(self._file, path, _METHOD_OPTIONS)) from error
        if "per_try_timeout" in headers and (reason := _why_slow_attempts_are_not_retried(headers)):
            at = self._origin_of_per_try_timeout(method, path, config, option)
            resolver.warn_of_per_try_timeout(at, f"{self.full_name}.{method.name}", reason)
        return headers

    def _origin_of_per_try_timeout(
        self, method: MethodDescriptorProto, path: Path, config: CallPolicy, option: CallPolicy
    ) -> str:
        """`file:line` of where it is set."""
        if config.per_try_timeout is not None and self._resolver.config is not None:
            return self._resolver.config.where(self.full_name, method.name, "per_try_timeout")
        if option.per_try_timeout is not None:
            return _option(self._file, path, _METHOD_OPTIONS)
        return _option(self._file, path[:2], _SERVICE_OPTIONS)


def _why_slow_attempts_are_not_retried(headers: Mapping[str, Any]) -> str:
    """Why Envoy makes no further attempt when one exceeds the per-try timeout; empty if it does."""
    if headers.get("max_retries") == 0:
        return "retry.attempts is 1"
    if headers.get("hedge_on_per_try_timeout") and any(map(headers.get, _CONDITIONS)):
        return ""  # whatever the conditions are, hedging retries a slow attempt
    from dubbo_mesh._contract.envoy_headers import RETRIES_SLOW_ATTEMPTS

    if not RETRIES_SLOW_ATTEMPTS.isdisjoint(headers.get("retry_on", ())):
        return ""
    return "Envoy retries slow attempts only if retry.on holds reset, 5xx or gateway-error"


_CONDITIONS = ("retry_on", "retry_grpc_on", "retriable_status_codes", "retriable_header_names")


def _and_more(rpcs: list[str]) -> str:
    return f" and {len(rpcs) - 1} more" if len(rpcs) > 1 else ""


def _option(file: FileDescriptorProto, path: Path, options: int) -> str:
    """`file:line` of our option of the service or rpc at `path`, or of that itself."""
    return where(file, (*path, options, _EXTENSION), path)
