"""What can be configured for services and rpcs, whichever source configures it.

The sources are the config file, options in the proto, a gRPC service config and the plugin's parameters.
In all of these types, None means unset.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Duration = float  # seconds

# What Envoy may retry for any rpc: the request certainly did not reach the provider.
SAFE_RETRY_ON = ("connect-failure", "refused-stream")
# What it may also retry for rpcs that are safe to run twice.
IDEMPOTENT_RETRY_ON = (*SAFE_RETRY_ON, "reset")
IDEMPOTENT_RETRY_GRPC_ON = ("unavailable",)


class Identity(NamedTuple):
    """Where the provider of a service is found."""

    app: str | None = None
    namespace: str | None = None
    port: int | None = None
    version: str | None = None
    group: str | None = None

    def with_defaults(self, other: Identity) -> Identity:
        """This, with the fields of `other` where they are unset."""
        return Identity(*map(_first_set, self, other))

    def checked(self, subject: str = "") -> Identity:
        """This, if it can be the address of a Kubernetes Service and the values of headers.

        Raises:
            ValueError: it cannot; the message begins with `subject` and the field's name.
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
        """This, with the fields of `other` where they are unset, those of `retry` one by one."""
        if other is NO_POLICY or self is NO_POLICY:
            return self if other is NO_POLICY else other
        merged = CallPolicy(*map(_first_set, self, other))
        if self.retry is not None and other.retry is not None:
            return merged._replace(retry=Retry(*map(_first_set, self.retry, other.retry)))
        return merged

    def envoy_headers(self, idempotent: bool) -> dict[str, Any]:
        """The arguments of the `dubbo_mesh.EnvoyHeaders` that ask for this, in its order.

        Args:
            idempotent: whether the rpc's `idempotency_level` allows running it twice.

        Raises:
            ValueError: Envoy would ignore a value; the message names the field.
        """
        arguments: dict[str, Any] = {
            "timeout": self.timeout,
            "inherit_timeout": self.inherit_timeout,
            "per_try_timeout": self.per_try_timeout,
            **_retry_headers(self.retry, idempotent),
            "hedge_on_per_try_timeout": self.hedge_on_per_try_timeout,
            "upstream_alt_stat_name": self.upstream_alt_stat_name,
            "timeout_alt_response": self.timeout_alt_response,
            "stream_duration": self.stream_duration,
            "decorator_operation": self.decorator_operation,
        }
        given = {name: value for name, value in arguments.items() if value is not None}
        if given:
            from dubbo_mesh._contract.envoy_headers import EnvoyHeaders, suppress_warnings_in

            suppress_warnings_in(__name__)  # the plugin has its own, with the place in the proto
            EnvoyHeaders(**given)
        return given


NO_POLICY = CallPolicy()


def _retry_headers(retry: Retry | None, idempotent: bool) -> dict[str, Any]:
    """The arguments for Envoy's retries; without conditions, those that are safe for the rpc."""
    if retry is None:
        retry = Retry()
        if not idempotent:
            return {}
    if retry.attempts == 0:
        raise ValueError("retry.attempts must be at least 1: it includes the first attempt")
    if retry.attempts == 1:
        return {"max_retries": 0}
    headers: dict[str, Any] = {
        "max_retries": None if retry.attempts is None else retry.attempts - 1,
        "retry_on": retry.on or None,
        "retry_grpc_on": retry.grpc_on or None,
        "retriable_status_codes": retry.status_codes or None,
        "retriable_header_names": retry.header_names or None,
    }
    if not retry.has_conditions:
        headers["retry_on"] = IDEMPOTENT_RETRY_ON if idempotent else SAFE_RETRY_ON
        headers["retry_grpc_on"] = IDEMPOTENT_RETRY_GRPC_ON if idempotent else None
    return headers


def _first_set(first: Any, second: Any) -> Any:
    return second if first is None else first
