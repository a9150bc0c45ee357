"""What can be said of services and methods, whoever says it: config, proto, gRPC config or parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

Duration = float  # seconds

# What Envoy may always try again: the request certainly did not reach the provider.
SAFE_RETRY_ON = ("connect-failure", "refused-stream")
# And what it may try again for rpcs that are safe to run twice.
IDEMPOTENT_RETRY_ON = (*SAFE_RETRY_ON, "reset")
IDEMPOTENT_RETRY_GRPC_ON = ("unavailable",)


class Identity(NamedTuple):
    """Where the provider of a service is found. None: not said."""

    app: str | None = None
    namespace: str | None = None
    port: int | None = None
    version: str | None = None
    group: str | None = None

    def over(self, other: Identity) -> Identity:
        """Both, this one winning field by field."""
        return Identity(*map(_first, self, other))

    def checked(self, subject: str = "") -> Identity:
        """This, if it can be the address of a Kubernetes Service and the values of headers.

        Raises:
            ValueError: it cannot; the message begins with `subject` and the field's name.
        """
        if self == NOWHERE:
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


NOWHERE = Identity()


class Retry(NamedTuple):
    """When Envoy tries again. None: not said. `attempts` counts the first try too."""

    attempts: int | None = None
    grpc_on: tuple[str, ...] | None = None
    on: tuple[str, ...] | None = None
    status_codes: tuple[int, ...] | None = None
    header_names: tuple[str, ...] | None = None

    @property
    def has_conditions(self) -> bool:
        """Whether anything says when to try again."""
        return any((self.grpc_on, self.on, self.status_codes, self.header_names))


class Calling(NamedTuple):
    """How a method is called through Envoy. None: not said. Durations in seconds."""

    timeout: Duration | None = None
    per_try_timeout: Duration | None = None
    retry: Retry | None = None
    inherit_timeout: bool | None = None
    hedge_on_per_try_timeout: bool | None = None
    upstream_alt_stat_name: str | None = None
    timeout_alt_response: bool | None = None
    stream_duration: Duration | None = None
    decorator_operation: str | None = None

    def over(self, other: Calling) -> Calling:
        """Both, this one winning field by field, within `retry` too."""
        if other is NOTHING or self is NOTHING:
            return self if other is NOTHING else other
        merged = Calling(*map(_first, self, other))
        if self.retry is not None and other.retry is not None:
            return merged._replace(retry=Retry(*map(_first, self.retry, other.retry)))
        return merged

    def envoy_headers(self, idempotent: bool) -> dict[str, Any]:
        """The arguments of `dubbo_mesh.EnvoyHeaders` that say this, in its order.

        Args:
            idempotent: whether the rpc's `idempotency_level` allows for running it twice.

        Raises:
            ValueError: Envoy would ignore it; the message names the field.
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
        said = {name: value for name, value in arguments.items() if value is not None}
        if said:
            from dubbo_mesh._contract.envoy_headers import EnvoyHeaders

            EnvoyHeaders(**said)
        return said


NOTHING = Calling()


def _retry_headers(retry: Retry | None, idempotent: bool) -> dict[str, Any]:
    """Envoy's conditions; where none are said, only what is safe for the rpc."""
    if retry is None:
        retry = Retry()
        if not idempotent:
            return {}
    if retry.attempts == 0:
        raise ValueError("retry.attempts counts the first try too: at least 1")
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


def _first(first: Any, second: Any) -> Any:
    return second if first is None else first
