"""What a call policy asks of Envoy: the arguments of `dubbo_mesh.EnvoyHeaders`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .model import IDEMPOTENT_RETRY_GRPC_ON, IDEMPOTENT_RETRY_ON, SAFE_RETRY_ON, CallPolicy, Retry

if TYPE_CHECKING:
    from collections.abc import Mapping


class PolicyError(ValueError):
    """A value of a call policy that is not allowed, by itself or beside another one.

    Args:
        field: one of `CALL_FIELDS`.
        message: begins with `field`.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def default_retry(policy: CallPolicy, idempotent: bool) -> Retry | None:
    """The conditions under which Envoy retries, where the policy sets none; None if it needs none.

    Args:
        policy: what is configured.
        idempotent: whether the rpc's `idempotency_level` allows running it twice.
    """
    retry = policy.retry
    if retry is None:
        if not idempotent:
            return None
    elif retry.has_conditions or retry.attempts == 1:
        return None
    if idempotent:
        return Retry(on=IDEMPOTENT_RETRY_ON, grpc_on=IDEMPOTENT_RETRY_GRPC_ON)
    return Retry(on=SAFE_RETRY_ON)


def with_default_retry(policy: CallPolicy, idempotent: bool) -> CallPolicy:
    """`policy`, with `default_retry` where it sets no conditions."""
    retry = default_retry(policy, idempotent)
    return policy if retry is None else policy.with_defaults(CallPolicy(retry=retry))


def arguments(policy: CallPolicy) -> dict[str, Any]:
    """The arguments of the `EnvoyHeaders` that ask for `policy`, in its order.

    Args:
        policy: with complete conditions of retries.

    Raises:
        PolicyError: Envoy would ignore a value.
    """
    given = {name: value for name, value in _arguments(policy).items() if value is not None}
    if given:
        from dubbo_mesh._contract.header_checks import checked

        try:
            checked(**given)
        except ValueError as error:
            raise _in_terms_of_a_policy(error) from error
    return given


def beside_routes(headers: Mapping[str, Any]) -> dict[str, Any]:
    """What stubs ask for where routes enforce timeouts and retries: a deadline, and no header about those.

    Args:
        headers: what `arguments` returns.
    """
    kept = {name: headers[name] for name in _NOT_ENFORCED_BY_ROUTES if name in headers}
    return {**kept, "inherit_timeout": True}


_NOT_ENFORCED_BY_ROUTES = ("timeout", "decorator_operation")


def _in_terms_of_a_policy(error: ValueError) -> PolicyError:
    """An error of `EnvoyHeaders`, whose message begins with the name of an argument."""
    argument, _, rest = str(error).partition(" ")
    field = _FIELDS.get(argument, argument)
    return PolicyError(field, f"{field} {rest}")


_FIELDS = {
    "max_retries": "retry.attempts",
    "retry_on": "retry.on",
    "retry_grpc_on": "retry.grpc_on",
    "retriable_status_codes": "retry.status_codes",
    "retriable_header_names": "retry.header_names",
}
"""What `EnvoyHeaders` calls the fields of a call policy, where that differs."""


def check(policy: CallPolicy) -> None:
    """Checks what one source sets, by itself.

    Raises:
        PolicyError: as `arguments`.
    """
    arguments(with_default_retry(policy, idempotent=False))


def why_slow_attempts_are_not_retried(headers: Mapping[str, Any]) -> str:
    """Why Envoy makes no further attempt when one exceeds the per-try timeout; empty if it does.

    Args:
        headers: what `arguments` returns, with a per-try timeout.
    """
    if headers.get("max_retries") == 0:
        return "retry.attempts is 1"
    if headers.get("hedge_on_per_try_timeout") and any(map(headers.get, _CONDITIONS)):
        return ""  # whatever the conditions are, hedging retries a slow attempt
    from dubbo_mesh._contract.header_checks import RETRIES_SLOW_ATTEMPTS

    if not RETRIES_SLOW_ATTEMPTS.isdisjoint(headers.get("retry_on", ())):
        return ""
    return "Envoy retries slow attempts only if retry.on holds reset, 5xx or gateway-error"


_CONDITIONS = ("retry_on", "retry_grpc_on", "retriable_status_codes", "retriable_header_names")


_MOST_ATTEMPTS = 2**31  # with one less, retries, as EnvoyHeaders takes them


def _arguments(policy: CallPolicy) -> dict[str, Any]:
    return {
        "timeout": policy.timeout,
        "inherit_timeout": policy.inherit_timeout,
        "per_try_timeout": policy.per_try_timeout,
        **_retries(policy.retry),
        "hedge_on_per_try_timeout": policy.hedge_on_per_try_timeout,
        "upstream_alt_stat_name": policy.upstream_alt_stat_name,
        "timeout_alt_response": policy.timeout_alt_response,
        "stream_duration": policy.stream_duration,
        "decorator_operation": policy.decorator_operation,
    }


def _retries(retry: Retry | None) -> dict[str, Any]:
    if retry is None:
        return {}
    if retry.attempts == 0:
        raise PolicyError(
            "retry.attempts", "retry.attempts must be at least 1: it includes the first attempt"
        )
    if retry.attempts == 1:
        return {"max_retries": 0}
    if retry.attempts is not None and retry.attempts > _MOST_ATTEMPTS:
        raise PolicyError("retry.attempts", f"retry.attempts must be at most {_MOST_ATTEMPTS}")
    return {
        "max_retries": None if retry.attempts is None else retry.attempts - 1,
        "retry_on": retry.on or None,
        "retry_grpc_on": retry.grpc_on or None,
        "retriable_status_codes": retry.status_codes or None,
        "retriable_header_names": retry.header_names or None,
    }
