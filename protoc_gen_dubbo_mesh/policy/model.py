"""What can be configured for services and rpcs, and the effective policies of one run.

`Identity` and `CallPolicy` are what a source can set: the config file, options in the proto, a gRPC service
config, the plugin's parameters. In both, None means unset. `ServicePolicy` and `RpcPolicy` are the result for
one service and one rpc. They know where each value was set, and nothing about the files that emitters write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .provenance import origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .provenance import Declaration, Layer, Origin

Duration = float  # seconds
Labels = tuple[tuple[str, str], ...]
"""Kubernetes labels, sorted by key."""

# Conditions that are safe for any rpc: the request certainly did not reach the provider.
SAFE_RETRY_ON = ("connect-failure", "refused-stream")
# Further conditions for rpcs that are safe to run twice.
IDEMPOTENT_RETRY_ON = (*SAFE_RETRY_ON, "reset")
IDEMPOTENT_RETRY_GRPC_ON = ("unavailable",)


class Identity(NamedTuple):
    """Where the provider of a service is found, and the names that it answers to.

    Attributes:
        app: its Kubernetes Service.
        namespace, port: of that Service.
        version, group: Dubbo's.
        labels: of the app's pods.
        aliases: the kinds of aliases that the rpcs of the service have, keys of `aliases.KINDS`.
    """

    app: str | None = None
    namespace: str | None = None
    port: int | None = None
    version: str | None = None
    group: str | None = None
    labels: Labels | None = None
    aliases: tuple[str, ...] | None = None

    def with_defaults(self, other: Identity) -> Identity:
        """This identity, with the fields of `other` where its own are unset."""
        return Identity(*map(_first_set, self, other))

    def checked(self, subject: str = "") -> Identity:
        """This identity, if its fields are valid as names of a Kubernetes Service and as values of headers.

        Raises:
            ValueError: one is not; the message begins with `subject` and the field's name.
        """
        if self == NO_IDENTITY:
            return self
        from dubbo_mesh._contract.validation import check_header_value, check_label, check_port

        if self.app is not None:
            check_label(f"{subject}app", self.app)
        if self.namespace is not None:
            check_label(f"{subject}namespace", self.namespace)
        if self.port is not None:
            check_port(f"{subject}port", self.port)
        if self.version is not None:
            check_header_value(f"{subject}version", self.version)
        if self.group is not None:
            check_header_value(f"{subject}group", self.group)
        return self


NO_IDENTITY = Identity()


class Retry(NamedTuple):
    """When Envoy retries.

    Attributes:
        attempts: the number of attempts, including the first.
        grpc_on, on: conditions, by Envoy's names.
        status_codes: HTTP status codes to retry on.
        header_names: response headers to retry on.
    """

    attempts: int | None = None
    grpc_on: tuple[str, ...] | None = None
    on: tuple[str, ...] | None = None
    status_codes: tuple[int, ...] | None = None
    header_names: tuple[str, ...] | None = None

    @property
    def has_conditions(self) -> bool:
        """Whether any condition is set."""
        return any((self.grpc_on, self.on, self.status_codes, self.header_names))


class CallPolicy(NamedTuple):
    """How an rpc is called through Envoy; the fields are those of `dubbo_mesh.v1.MethodOptions`."""

    timeout: Duration | None = None
    per_try_timeout: Duration | None = None
    retry: Retry | None = None
    inherit_timeout: bool | None = None
    hedge_on_per_try_timeout: bool | None = None
    upstream_alt_stat_name: str | None = None
    timeout_alt_response: bool | None = None
    stream_duration: Duration | None = None
    decorator_operation: str | None = None

    def with_defaults(self, other: CallPolicy) -> CallPolicy:
        """This policy, with the fields of `other` where its own are unset, those of `retry` one by one."""
        if other is NO_POLICY or self is NO_POLICY:
            return self if other is NO_POLICY else other
        merged = CallPolicy(*map(_first_set, self, other))
        if self.retry is not None and other.retry is not None:
            return merged._replace(retry=Retry(*map(_first_set, self.retry, other.retry)))
        return merged


NO_POLICY = CallPolicy()

CALL_FIELDS = (
    *(name for name in CallPolicy._fields if name != "retry"),
    *(f"retry.{name}" for name in Retry._fields),
)
"""The fields of a call policy that have an origin; those of `retry` each have their own."""

RETRY_FIELDS = tuple(name for name in CALL_FIELDS if name.startswith("retry."))
"""Those of `retry`."""


class RpcPolicy(NamedTuple):
    """The effective policy of one rpc.

    Attributes:
        name: its name in the proto.
        path: its HTTP/2 path, `/package.Service/rpc`.
        client_streaming, server_streaming: its shape.
        idempotent: whether its `idempotency_level` allows running it twice.
        aliases: further names that it is served under.
        call: how it is called. The conditions of `retry` are complete: if none are set and further attempts
            are allowed, they are those that are safe for the rpc.
        headers: the arguments of the `dubbo_mesh.EnvoyHeaders` that ask for `call`, in its order.
        declaration: where it is declared.
        layers: what its sources set, in order of precedence.
    """

    name: str
    path: str
    client_streaming: bool
    server_streaming: bool
    idempotent: bool
    aliases: tuple[str, ...]
    call: CallPolicy
    headers: Mapping[str, Any]
    declaration: Declaration
    layers: tuple[Layer[CallPolicy], ...]

    @property
    def full_name(self) -> str:
        """`package.Service.rpc`, as protobuf has it."""
        return self.path[1:].replace("/", ".")

    def origin(self, field: str) -> Origin:
        """Where one of `CALL_FIELDS` was set."""
        return origin_of(field, self.layers)

    def where(self, field: str) -> str:
        """`file:line` for messages about one of `CALL_FIELDS`: its own, or else the declaration's."""
        return self.origin(field).where or self.declaration.where


class ServicePolicy(NamedTuple):
    """The effective policy of one service.

    Attributes:
        name: its full name, `package.Service`.
        identity: where its provider is found. A namespace or port that is unset is left to the runtime: the
            caller's own namespace, port 80.
        rpcs: its rpcs, in the order of the proto.
        declaration: where it is declared.
        layers: what its sources set, in order of precedence.
    """

    name: str
    identity: Identity
    rpcs: tuple[RpcPolicy, ...]
    declaration: Declaration
    layers: tuple[Layer[Identity], ...]

    def origin(self, field: str) -> Origin:
        """Where a field of its identity was set."""
        return origin_of(field, self.layers)

    def where(self, field: str) -> str:
        """`file:line` for messages about a field of its identity: its own, or else the declaration's."""
        return self.origin(field).where or self.declaration.where


def _first_set(first: Any, second: Any) -> Any:
    return second if first is None else first
