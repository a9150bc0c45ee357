"""Where values were set.

Lines are searched for only when somebody asks for them, which a run that only writes Python never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from ..protoc.source_info import IDEMPOTENCY_LEVEL, METHOD_OPTIONS, where

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from ..protoc.descriptors_pb2 import FileDescriptorProto
    from ..protoc.source_info import Path

    class Place(Protocol):
        """Something that sets fields: a table of a config, an option in a proto, the parameters."""

        def origin(self, field: str) -> Origin:
            """Where `field` is set."""
            ...


T = TypeVar("T")


class Origin(NamedTuple):
    """Where one value was set.

    Attributes:
        source: the kind of source: `config`, `option`, `service config`, `parameter`, `idempotency_level` or
            `default`.
        where: `file:line`; empty for parameters and defaults, which are in no file that the plugin sees.
    """

    source: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where} ({self.source})" if self.where else self.source


DEFAULT = Origin("default")


class Layer(NamedTuple, Generic[T]):
    """What one place sets.

    Attributes:
        values: an `Identity` or a `CallPolicy`.
        place: the place.
    """

    values: T
    place: Place


class Known(NamedTuple):
    """A place whose fields all have the same origin."""

    known: Origin

    def origin(self, field: str) -> Origin:
        """That origin."""
        return self.known


class Declaration(NamedTuple):
    """Where a service or an rpc is declared.

    Attributes:
        file: the file.
        path: its path there, as in `SourceCodeInfo`.
    """

    file: FileDescriptorProto
    path: Path

    @property
    def where(self) -> str:
        """`file:line`."""
        return where(self.file, self.path)


class IdempotencyLevel(NamedTuple):
    """The `idempotency_level` of an rpc, as a `Place`: it decides what is safe to retry."""

    declaration: Declaration

    def origin(self, field: str) -> Origin:
        """The line that sets it, or else that of the rpc."""
        file, path = self.declaration
        return Origin("idempotency_level", where(file, (*path, METHOD_OPTIONS, IDEMPOTENCY_LEVEL), path))


def field_of(values: Any, field: str) -> Any:
    """A field of an `Identity` or `CallPolicy`; one within `retry` has its name after a dot."""
    for name in field.split("."):
        values = getattr(values, name, None)
    return values


def origin_of(field: str, layers: Iterable[Layer[Any]]) -> Origin:
    """Where a field was set: by the first of `layers` that sets it; a default if none does."""
    outer, _, inner = field.partition(".")
    for values, place in layers:
        value = getattr(values, outer, None)
        if inner and value is not None:
            value = getattr(value, inner, None)
        if value is not None:
            return place.origin(field)
    return DEFAULT
