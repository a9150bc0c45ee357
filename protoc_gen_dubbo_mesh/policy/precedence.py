"""Precedence of configuration sources.

For a service: the config file, its option in the proto, the parameters. For an rpc: the config file, its
option, its service's `defaults`, the gRPC service config, and then default retries that are safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import GenerationError
from ..protoc.descriptors_pb2 import MethodOptions
from ..protoc.source_info import METHOD, SERVICE, described
from .model import NO_IDENTITY, NO_POLICY, CallPolicy, RpcPolicy, ServicePolicy
from .provenance import DEFAULT, Declaration, IdempotencyLevel, Known, Layer, origin_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from ..protoc.descriptors_pb2 import FileDescriptorProto, MethodDescriptorProto
    from ..protoc.request import Request
    from .config import Config
    from .model import Identity
    from .parameters import PolicyParameters
    from .service_config import ServiceConfig

_IDEMPOTENT = frozenset({MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT})
_NO_HEADERS: Mapping[str, Any] = {}


class Resolver:
    """Resolves the effective policies of the services and rpcs of one run, from all sources.

    Reads the files that the parameters name. `config` is the config file, if there is one.

    Args:
        parameters: the parameters that configure services.
        request: the request of the run.

    Raises:
        GenerationError: a file cannot be read, is malformed, or names what is not in this run; or a service
            has no app although the config is strict.
    """

    def __init__(self, parameters: PolicyParameters, request: Request) -> None:
        self._parameters = parameters.layer
        self._has_options = request.has_mesh_options
        self._by_routes = parameters.policy == "routes"
        self.config: Config | None = None
        self._service_config: ServiceConfig | None = None
        self._warnings: list[str] = []
        self._ending_calls: dict[tuple[str, str], list[str]] = {}
        if parameters.config is not None:
            from . import config_file

            self.config = config_file.read(parameters.config)
            self.config.check_names(_services(request))
        if parameters.service_config is not None:
            from . import service_config

            self._service_config = service_config.read(parameters.service_config)
            self._warnings += self._service_config.warnings
            self._warnings += self._service_config.unmatched(_services(request))
        self._is_empty = not (self._has_options or self.config or self._service_config or self._by_routes)
        if self.config is not None and self.config.strict:
            self._check_apps(request.generate, self.config)

    @property
    def warnings(self) -> list[str]:
        """Probable mistakes in the configuration, and what Envoy's headers cannot express, a line each."""
        return self._warnings + [
            f"{at}: per_try_timeout ends calls of rpc {rpcs[0]}{_and_more(rpcs)} "
            f"at the first slow attempt: {reason}"
            for (at, reason), rpcs in self._ending_calls.items()
        ]

    def resolve(self, file: FileDescriptorProto) -> tuple[ServicePolicy, ...]:
        """The effective policies of the services of a file.

        Raises:
            GenerationError: a value is not allowed, by itself or together with the others.
        """
        return tuple([self._service(file, index) for index in range(len(file.service))])

    def _service(self, file: FileDescriptorProto, index: int) -> ServicePolicy:
        service = file.service[index]
        path = (SERVICE, index)
        name = _full_name(file, service.name)
        layers, defaults = self._service_layers(file, index, name)
        identity = _merged_identity(layers)
        rpcs = [
            (method, Declaration(file, (*path, METHOD, number)))
            for number, method in enumerate(service.method)
        ]
        all_aliases: Sequence[tuple[str, ...]] = [()] * len(rpcs)
        if identity.aliases:
            from . import aliases

            named = [(method.name, declaration.path) for method, declaration in rpcs]
            all_aliases = aliases.assign(named, identity.aliases, lambda path: described(file, path))
        return ServicePolicy(
            name=name,
            identity=identity,
            rpcs=tuple(
                [
                    self._rpc(name, method, declaration, own, defaults)
                    for (method, declaration), own in zip(rpcs, all_aliases, strict=True)
                ]
            ),
            declaration=Declaration(file, path),
            layers=layers,
        )

    def _service_layers(
        self, file: FileDescriptorProto, index: int, name: str
    ) -> tuple[tuple[Layer[Identity], ...], Layer[CallPolicy] | None]:
        """The layers that set the identity of a service; and the `defaults` in its option."""
        configured = () if self.config is None else self.config.identity(name)
        option = None
        if self._has_options:
            from . import proto_options

            option = proto_options.of_service(Declaration(file, (SERVICE, index)), name)
        if option is None:
            return (*configured, self._parameters), None
        identity, defaults = option
        return (*configured, identity, self._parameters), defaults

    def _rpc(
        self,
        service: str,
        method: MethodDescriptorProto,
        declaration: Declaration,
        own_aliases: tuple[str, ...],
        defaults: Layer[CallPolicy] | None,
    ) -> RpcPolicy:
        name = method.name
        idempotent = method.options.idempotency_level in _IDEMPOTENT
        call, headers = NO_POLICY, _NO_HEADERS
        layers: tuple[Layer[CallPolicy], ...] = ()
        if idempotent or not self._is_empty:
            layers = self._call_layers(service, name, declaration, defaults)
            call, headers, layers = _effective(f"{service}.{name}", declaration, layers, idempotent)
        if "per_try_timeout" in headers:
            self._check_per_try_timeout(f"{service}.{name}", headers, layers)
        if self._by_routes:
            from .envoy_headers import beside_routes

            headers = beside_routes(headers)
        return RpcPolicy(
            name=name,
            path=f"/{service}/{name}",
            client_streaming=method.client_streaming,
            server_streaming=method.server_streaming,
            idempotent=idempotent,
            aliases=own_aliases,
            call=call,
            headers=headers,
            declaration=declaration,
            layers=layers,
        )

    def _call_layers(
        self, service: str, method: str, declaration: Declaration, defaults: Layer[CallPolicy] | None
    ) -> tuple[Layer[CallPolicy], ...]:
        layers: list[Layer[CallPolicy]] = []
        if self.config is not None:
            layers += self.config.call_policy(service, method)
        if self._has_options:
            from . import proto_options

            option = proto_options.of_method(declaration, f"{service}.{method}")
            layers += [layer for layer in (option, defaults) if layer is not None]
        if self._service_config is not None:
            entry = self._service_config.call_policy(service, method)
            layers += [] if entry is None else [entry]
        return tuple(layers)

    def _check_per_try_timeout(
        self, rpc: str, headers: Mapping[str, Any], layers: tuple[Layer[CallPolicy], ...]
    ) -> None:
        """Notes a per-try timeout after which Envoy does not retry: it ends calls, probably by mistake."""
        from .envoy_headers import why_slow_attempts_are_not_retried

        reason = why_slow_attempts_are_not_retried(headers)
        if reason:
            at = origin_of("per_try_timeout", layers).where
            self._ending_calls.setdefault((at, reason), []).append(rpc)

    def _check_apps(self, files: Iterable[FileDescriptorProto], config: Config) -> None:
        """Checks that each service has an app, as a strict config demands.

        Raises:
            GenerationError: a service has none; the message names the first.
        """
        missing: list[tuple[str, Declaration]] = []
        for file in files:
            for index, service in enumerate(file.service):
                name = _full_name(file, service.name)
                if _merged_identity(self._service_layers(file, index, name)[0]).app is None:
                    missing.append((name, Declaration(file, (SERVICE, index))))
        if missing:
            names = [name for name, _ in missing]
            raise GenerationError(
                f"service {names[0]}{_and_more(names)} {'has' if len(names) == 1 else 'have'} no app, which "
                f"`strict = true` in {config.file.path} demands: set app in the config or in its option",
                missing[0][1].where,
            )


def _effective(
    rpc: str, declaration: Declaration, layers: tuple[Layer[CallPolicy], ...], idempotent: bool
) -> tuple[CallPolicy, Mapping[str, Any], tuple[Layer[CallPolicy], ...]]:
    """The policy that results from `layers`, its headers, and the layers with that of default retries."""
    from . import envoy_headers

    call = NO_POLICY
    for layer in layers:
        call = call.with_defaults(layer.values)
    retry = envoy_headers.default_retry(call, idempotent)
    if retry is not None:
        place = IdempotencyLevel(declaration) if idempotent else Known(DEFAULT)
        default = Layer(CallPolicy(retry=retry), place)
        layers = (*layers, default)
        call = call.with_defaults(default.values)
    try:
        return call, envoy_headers.arguments(call), layers
    except envoy_headers.PolicyError as error:
        at = origin_of(error.field, layers).where or declaration.where
        raise GenerationError(f"rpc {rpc}: {error}", at) from error


def _merged_identity(layers: Iterable[Layer[Identity]]) -> Identity:
    identity = NO_IDENTITY
    for layer in layers:
        identity = identity.with_defaults(layer.values)
    return identity


def _services(request: Request) -> dict[str, list[str]]:
    """The services of this run by their full names, each with the names of its methods."""
    return {
        _full_name(file, service.name): [method.name for method in service.method]
        for file in request.generate
        for service in file.service
    }


def _full_name(file: FileDescriptorProto, service: str) -> str:
    return f"{file.package}.{service}" if file.package else service


def _and_more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
