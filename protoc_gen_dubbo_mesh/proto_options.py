"""Options in the proto: `(dubbo_mesh.v1.service)` and `(dubbo_mesh.v1.method)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from google.protobuf.message import DecodeError

from .request import OPTIONS_FILE
from .settings import NOTHING, Calling, Identity, Retry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import Message

    from dubbo_mesh.v1 import options_pb2

    from .request_pb2 import MethodDescriptorProto, ServiceDescriptorProto

_Said = TypeVar("_Said", bound="Message")


class ServiceSaid(NamedTuple):
    """What the option of a service says."""

    identity: Identity = Identity()
    defaults: Calling = NOTHING


def of_service(service: ServiceDescriptorProto) -> ServiceSaid:
    """Reads the option of a service.

    Raises:
        ValueError: it says something that cannot be.
    """
    pieces = service.options.mesh
    if not pieces:
        return ServiceSaid()
    from dubbo_mesh.v1 import options_pb2

    said = _parsed(options_pb2.ServiceOptions, pieces)
    identity = Identity(*(_scalar(said, name) for name in Identity._fields))
    defaults = _calling(said.defaults)
    defaults.envoy_headers(idempotent=False)
    return ServiceSaid(identity.checked(), defaults)


def of_method(method: MethodDescriptorProto) -> Calling:
    """Reads the option of a method.

    Raises:
        ValueError: it says something that cannot be.
    """
    pieces = method.options.mesh
    if not pieces:
        return NOTHING
    from dubbo_mesh.v1 import options_pb2

    return _calling(_parsed(options_pb2.MethodOptions, pieces))


def _parsed(kind: type[_Said], pieces: Iterable[bytes]) -> _Said:
    """The option that pieces of it make, which merge when they are put together."""
    try:
        return kind.FromString(b"".join(pieces))
    except DecodeError as error:
        raise ValueError(f"its option is none of {OPTIONS_FILE}") from error


def _calling(said: options_pb2.MethodOptions) -> Calling:
    return Calling(
        timeout=_seconds(said, "timeout"),
        per_try_timeout=_seconds(said, "per_try_timeout"),
        retry=_retry(said.retry) if said.HasField("retry") else None,
        inherit_timeout=_scalar(said, "inherit_timeout"),
        hedge_on_per_try_timeout=_scalar(said, "hedge_on_per_try_timeout"),
        upstream_alt_stat_name=_scalar(said, "upstream_alt_stat_name"),
        timeout_alt_response=_scalar(said, "timeout_alt_response"),
        stream_duration=_seconds(said, "stream_duration"),
        decorator_operation=_scalar(said, "decorator_operation"),
    )


def _retry(said: options_pb2.Retry) -> Retry:
    return Retry(
        attempts=_scalar(said, "attempts"),
        grpc_on=_policies(said, "grpc_on") or None,
        on=_policies(said, "on") or None,
        status_codes=tuple(said.status_codes) or None,
        header_names=tuple(said.header_names) or None,
    )


def _scalar(said: Message, name: str) -> Any:
    return getattr(said, name) if said.HasField(name) else None


def _seconds(said: options_pb2.MethodOptions, name: str) -> float | None:
    if not said.HasField(name):
        return None
    duration: Duration = getattr(said, name)
    seconds = duration.seconds + duration.nanos / 1e9
    if seconds < 0 or not -1e9 < duration.nanos < 1e9:
        raise ValueError(f"{name} {seconds:g} s is not a duration: 0 or more seconds")
    return seconds


def _policies(said: options_pb2.Retry, name: str) -> tuple[str, ...]:
    """The retry policies of an enum's values, by Envoy's own names."""
    enum: Any = said.DESCRIPTOR.fields_by_name[name].enum_type
    policies: list[str] = []
    for number in getattr(said, name):
        value = enum.values_by_number.get(number)
        if not number or value is None:
            raise ValueError(f"retry.{name} holds {number}, which is no value of {enum.full_name}")
        policies.append(value.name.removeprefix("ANY_").lower().replace("_", "-"))
    return tuple(policies)
