"""What the proto of a service says about an rpc, which stubs need not send."""

from __future__ import annotations

from typing import Any, NamedTuple

from google.protobuf.descriptor import MethodDescriptor

_METHOD, _SERVICE = "dubbo_mesh.v1.method", "dubbo_mesh.v1.service"


class ConfiguredRetry(NamedTuple):
    """The `retry` of an rpc's options, or of its service's defaults.

    Attributes:
        attempts: with the first one; None if that is not set.
        on: its conditions, by Envoy's names; empty if the rpc's `idempotency_level` decides.
    """

    attempts: int | None
    on: tuple[str, ...]


def retry_of(rpc: MethodDescriptor) -> ConfiguredRetry | None:
    """The `retry` in the options of an rpc, or in the defaults of its service; None if there is none.

    A config of the plugin may say something else, which generated modules do not tell.
    """
    own = _option(rpc.GetOptions(), _METHOD)
    if own is None or not own.HasField("retry"):
        defaults = _option(rpc.containing_service.GetOptions(), _SERVICE)
        own = None if defaults is None else defaults.defaults
    if own is None or not own.HasField("retry"):
        return None
    fields = own.retry.DESCRIPTOR.fields_by_name
    names = [
        fields[field].enum_type.values_by_number[number].name
        for field in ("grpc_on", "on")
        for number in getattr(own.retry, field)
        if number in fields[field].enum_type.values_by_number
    ]
    attempts = own.retry.attempts if own.retry.HasField("attempts") else None
    return ConfiguredRetry(attempts, tuple(map(_condition, names)))


def _option(options: Any, name: str) -> Any:
    """The extension of that name; without importing the module that declares it, which need not be there."""
    return next((value for field, value in options.ListFields() if field.full_name == name), None)


def _condition(name: str) -> str:
    return "5xx" if name == "ANY_5XX" else name.lower().replace("_", "-")
