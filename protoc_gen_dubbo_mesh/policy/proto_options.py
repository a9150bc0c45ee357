"""Options in the proto: `(dubbo_mesh.v1.service)` and `(dubbo_mesh.v1.method)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from google.protobuf.message import DecodeError

from ..protoc.request import OPTIONS_FILE
from . import aliases
from .model import NO_POLICY, CallPolicy, Identity, Retry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import Message

    from dubbo_mesh.v1 import options_pb2

    from ..protoc.descriptors_pb2 import MethodDescriptorProto, ServiceDescriptorProto

_Option = TypeVar("_Option", bound="Message")


class ServiceOption(NamedTuple):
    """The option of a service, checked.

    Attributes:
        identity: where its provider is found.
        defaults: for its rpcs.
        aliases: kinds of aliases; None means unset.
    """

    identity: Identity = Identity()
    defaults: CallPolicy = NO_POLICY
    aliases: tuple[str, ...] | None = None


def of_service(service: ServiceDescriptorProto) -> ServiceOption:
    """Reads the option of a service.

    Raises:
        ValueError: a value is not allowed.
    """
    pieces = service.options.mesh
    if not pieces:
        return ServiceOption()
    from dubbo_mesh.v1 import options_pb2

    option = _parsed(options_pb2.ServiceOptions, pieces)
    identity = Identity(*(_scalar(option, name) for name in Identity._fields))
    defaults = _call_policy(option.defaults)
    defaults.envoy_headers(idempotent=False)
    return ServiceOption(identity.checked(), defaults, aliases.checked(option.aliases) or None)


def of_method(method: MethodDescriptorProto) -> CallPolicy:
    """Reads the option of a method.

    Raises:
        ValueError: a value is not allowed.
    """
    pieces = method.options.mesh
    if not pieces:
        return NO_POLICY
    from dubbo_mesh.v1 import options_pb2

    return _call_policy(_parsed(options_pb2.MethodOptions, pieces))


def _parsed(kind: type[_Option], pieces: Iterable[bytes]) -> _Option:
    """The option that was serialized in `pieces`, which protobuf merges when they are concatenated."""
    try:
        return kind.FromString(b"".join(pieces))
    except DecodeError as error:
        raise ValueError(f"its option is not one of {OPTIONS_FILE}") from error


def _call_policy(option: options_pb2.MethodOptions) -> CallPolicy:
    return CallPolicy(
        timeout=_seconds(option, "timeout"),
        per_try_timeout=_seconds(option, "per_try_timeout"),
        retry=_retry(option.retry) if option.HasField("retry") else None,
        inherit_timeout=_scalar(option, "inherit_timeout"),
        hedge_on_per_try_timeout=_scalar(option, "hedge_on_per_try_timeout"),
        upstream_alt_stat_name=_scalar(option, "upstream_alt_stat_name"),
        timeout_alt_response=_scalar(option, "timeout_alt_response"),
        stream_duration=_seconds(option, "stream_duration"),
        decorator_operation=_scalar(option, "decorator_operation"),
    )


def _retry(option: options_pb2.Retry) -> Retry:
    return Retry(
        attempts=_scalar(option, "attempts"),
        grpc_on=_conditions(option, "grpc_on") or None,
        on=_conditions(option, "on") or None,
        status_codes=tuple(option.status_codes) or None,
        header_names=tuple(option.header_names) or None,
    )


def _scalar(option: Message, name: str) -> Any:
    return getattr(option, name) if option.HasField(name) else None


def _seconds(option: options_pb2.MethodOptions, name: str) -> float | None:
    if not option.HasField(name):
        return None
    duration: Duration = getattr(option, name)
    seconds = duration.seconds + duration.nanos / 1e9
    if seconds < 0 or not -1e9 < duration.nanos < 1e9:
        raise ValueError(f"{name} must be a duration of 0 or more seconds, not {seconds:g} s")
    return seconds


def _conditions(option: options_pb2.Retry, name: str) -> tuple[str, ...]:
    """The retry conditions in a field of enum values, by Envoy's names."""
    enum: Any = option.DESCRIPTOR.fields_by_name[name].enum_type
    conditions: list[str] = []
    for number in getattr(option, name):
        value = enum.values_by_number.get(number)
        if not number or value is None:
            raise ValueError(f"retry.{name} holds {number}, which is not a value of {enum.full_name}")
        conditions.append(value.name.removeprefix("ANY_").lower().replace("_", "-"))
    return tuple(conditions)
