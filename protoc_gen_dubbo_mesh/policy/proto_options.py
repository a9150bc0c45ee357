"""Options in the proto: `(dubbo_mesh.v1.service)` and `(dubbo_mesh.v1.method)`."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from google.protobuf.message import DecodeError

from ..errors import GenerationError
from ..protoc.request import OPTIONS_FILE
from ..protoc.source_info import METHOD_OPTIONS, SERVICE_OPTIONS, where_set
from . import envoy_headers
from .model import CallPolicy, Identity, Retry
from .provenance import Layer, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import Message

    from dubbo_mesh.v1 import options_pb2

    from ..protoc.descriptors_pb2 import FileDescriptorProto
    from ..protoc.source_info import Path
    from .model import Labels
    from .provenance import Declaration

_Option = TypeVar("_Option", bound="Message")

_EXTENSION = 53110  # of dubbo_mesh/v1/options.proto, for services and methods
_DEFAULTS = ("defaults",)

_ORIGINS: dict[tuple[int, Path, tuple[str, ...], str], tuple[FileDescriptorProto, Origin]] = {}
"""Origins, since each emitter of YAML asks for the same. An entry keeps its file, whose id is in the key."""

_MOST_ORIGINS = 2**16


class Option(NamedTuple):
    """One of our options, as a `Place`.

    Attributes:
        file: the proto.
        path: of the service or rpc that has the option.
        within: the fields in it that lead to a message of its own, such as `defaults`.
    """

    file: FileDescriptorProto
    path: Path
    within: tuple[str, ...] = ()

    def origin(self, field: str) -> Origin:
        """The line that sets `field`, or else the line where the option begins; "" is the whole option.

        For a value in braces protoc records one line, and buf one for each field in it.
        """
        key = id(self.file), self.path, self.within, field
        known = _ORIGINS.get(key)
        if known is None:
            if len(_ORIGINS) >= _MOST_ORIGINS:
                _ORIGINS.clear()
            known = _ORIGINS[key] = self.file, self._origin(field)
        return known[1]

    def _origin(self, field: str) -> Origin:
        fields = (*self.within, *filter(None, field.split(".")))
        numbers = _numbers(fields, is_method=len(self.path) > 2)
        return Origin("option", where_set(self.file, self._path, numbers, self.path))

    @property
    def _path(self) -> Path:
        return (*self.path, METHOD_OPTIONS if len(self.path) > 2 else SERVICE_OPTIONS, _EXTENSION)


def of_service(declaration: Declaration, name: str) -> tuple[Layer[Identity], Layer[CallPolicy]] | None:
    """Reads the option of a service: where its provider is found, and `defaults` for its rpcs.

    Args:
        declaration: of the service.
        name: its full name.

    Returns:
        None if it has no such option.

    Raises:
        GenerationError: a value is not allowed.
    """
    file, path = declaration
    pieces = file.service[path[1]].options.mesh
    if not pieces:
        return None
    from dubbo_mesh.v1 import options_pb2

    place = Option(file, path)
    with _errors_in(place, f"service {name}"):
        option = _parsed(options_pb2.ServiceOptions, pieces)
    values: dict[str, Any] = {}
    for field in Identity._fields:
        with _errors_in(place, f"service {name}", field):
            read: Callable[[Any, str], Any] = _IDENTITY.get(field, _scalar)
            values[field] = read(option, field)
            Identity(**{field: values[field]}).checked()
    with _errors_in(place, f"service {name}", "defaults"):
        defaults = _call_policy(option.defaults)
        envoy_headers.check(defaults)
    return Layer(Identity(**values), place), Layer(defaults, place._replace(within=_DEFAULTS))


def of_method(declaration: Declaration, name: str) -> Layer[CallPolicy] | None:
    """Reads the option of an rpc.

    Args:
        declaration: of the rpc.
        name: its full name, `package.Service.rpc`.

    Returns:
        None if it has no such option.

    Raises:
        GenerationError: a value is not allowed.
    """
    file, path = declaration
    pieces = file.service[path[1]].method[path[3]].options.mesh
    if not pieces:
        return None
    from dubbo_mesh.v1 import options_pb2

    place = Option(file, path)
    with _errors_in(place, f"rpc {name}"):
        return Layer(_call_policy(_parsed(options_pb2.MethodOptions, pieces)), place)


@contextmanager
def _errors_in(place: Option, subject: str, field: str = "") -> Generator[None]:
    """Turns a ValueError into an error at the line that sets `field`, or where the option begins."""
    try:
        yield
    except ValueError as error:
        if isinstance(error, envoy_headers.PolicyError):
            field = ".".join(filter(None, (field, error.field)))
        raise GenerationError(f"{subject}: {error}", place.origin(field).where) from error


@lru_cache(2**7)
def _numbers(fields: tuple[str, ...], *, is_method: bool) -> Path:
    """The numbers of nested fields, of which the first is a field of the option."""
    from dubbo_mesh.v1 import options_pb2

    message: Any = (options_pb2.MethodOptions if is_method else options_pb2.ServiceOptions).DESCRIPTOR
    numbers: list[int] = []
    for name in fields:
        field = message.fields_by_name[name]
        numbers.append(field.number)
        message = field.message_type
    return tuple(numbers)


def _parsed(kind: type[_Option], pieces: Iterable[bytes]) -> _Option:
    """The option that was serialized in `pieces`, which protobuf merges when they are concatenated."""
    try:
        option = kind.FromString(b"".join(pieces))
    except DecodeError as error:
        raise ValueError(f"its option is not one of {OPTIONS_FILE}") from error
    size = option.ByteSize()
    option.DiscardUnknownFields()
    if option.ByteSize() != size:
        raise ValueError(
            f"its option sets a field that {OPTIONS_FILE} of this version does not have: update "
            "protoc-gen-dubbo-mesh and dubbo-mesh, or import the file that comes with them"
        )
    return option


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


def _labels(option: options_pb2.ServiceOptions, name: str) -> Labels | None:
    if not option.labels:
        return None
    from . import labels

    return labels.checked(option.labels, name)


def _aliases(option: options_pb2.ServiceOptions, name: str) -> tuple[str, ...] | None:
    if not option.aliases:
        return None
    from . import aliases

    return aliases.checked(option.aliases, name)


_IDENTITY: Mapping[str, Callable[[Any, str], Any]] = {"labels": _labels, "aliases": _aliases}
"""How the fields of an identity are read that are not scalars."""


def _seconds(option: options_pb2.MethodOptions, name: str) -> float | None:
    if not option.HasField(name):
        return None
    duration: Duration = getattr(option, name)
    seconds = duration.seconds + duration.nanos / 1e9
    if seconds < 0 or not -1e9 < duration.nanos < 1e9:
        raise ValueError(f"{name} must be a duration of at least 0 s, not {seconds:g} s")
    return seconds


def _conditions(option: options_pb2.Retry, name: str) -> tuple[str, ...]:
    """The retry conditions in a field of enum values, by Envoy's names."""
    enum: Any = option.DESCRIPTOR.fields_by_name[name].enum_type
    conditions: list[str] = []
    for number in getattr(option, name):
        value = enum.values_by_number.get(number)
        if not number or value is None:
            raise ValueError(f"retry.{name} must be values of {enum.full_name}, not {number}")
        conditions.append(value.name.removeprefix("ANY_").lower().replace("_", "-"))
    return tuple(conditions)
