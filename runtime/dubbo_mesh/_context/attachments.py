"""Dubbo's attachments, as Triple carries them: plain headers, and the original case of their names.

(Dubbo Java: `StreamUtils`, `TripleHeaderEnum`, `ContextFilter`; dubbo-go: `protocol/triple`.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from .._addressing.environment import CARRIED
from .._contract.logs import logger
from .._contract.reserved_headers import owner_of
from .._contract.validation import is_sendable, printable

Value = str | bytes
Metadata = tuple[tuple[str, Value], ...]

_log = logger(__name__)

_CONVERT = "tri-header-convert"
_NAME = re.compile(r"[0-9A-Za-z_.-]+")
_TRACING = ("x-b3-", "x-datadog-")

_ROUTING = frozenset({"dubbo.tag", "dubbo.force.tag", "token"})
"""May be sent, since Dubbo's tag routers and token filters look for them here, but are not reported.

They are for one provider alone: Java's `ContextFilter`, too, removes them from what an application sees and
passes on.
"""

_INTERNAL = frozenset(
    {
        "application",
        "async",
        "dubbo",
        "group",
        "interface",
        "path",
        "remote.application",
        "retries",
        "serialization",
        "timeout",
        "version",
        "_to",
        "rest-service-group",
        "rest-service-version",
    }
)
"""What Dubbo's consumers add for Dubbo's providers (Java: `timeout`; Go: `interface`, `timeout`, `retries`).

Dubbo Java drops an application's own attachments with most of these names, silently: when it sends them or
when it receives them.
"""


class Attachments(Mapping[str, Value]):
    """The attachments of a request or a response, by name.

    A name that came several times, as dubbo-go sends a list, maps to its last value, which is the one that
    Dubbo Java sees; `get_all` has all of them.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, tuple[Value, ...]]) -> None:
        self._values = values

    def get_all(self, name: str) -> tuple[Value, ...]:
        """Returns all values of `name` in the order in which they came; empty if there are none."""
        return self._values.get(name, ())

    def __getitem__(self, name: str) -> Value:
        return self._values[name][-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Attachments({dict(self)!r})"


def attachments(values: Mapping[str, Value | Sequence[Value]]) -> Metadata:
    """Returns metadata that carries `values` as Dubbo attachments, to a provider or back to a consumer.

    To pass on what has been received, give `current_request().attachments` as it is: values that gRPC
    cannot send are then left out, since a peer's data must not fail the handler that passes it on.

    Args:
        values: attachments by name. The names' case is kept, beside the headers. Text must be printable
            ASCII: gRPC sends nothing else, and neither Dubbo Java nor dubbo-go decodes any escape. Bytes are
            sent as `-bin` headers, which both read as bytes (`"Zoë".encode()`). A list or tuple sends its
            items under the same name: dubbo-go reads all of them, Dubbo Java the last.

    Raises:
        TypeError: a value is neither text nor bytes, nor a list or tuple of those; the message has its name.
        ValueError: a name cannot be a header's or has a meaning of its own (to HTTP, gRPC, Envoy, tracing
            or Dubbo), two names differ by case only, or text cannot be sent.
    """
    if isinstance(values, Attachments):
        return _metadata(_received(values))
    return _metadata([(name, value) for name, given in values.items() for value in _checked(name, given)])


def read_attachments(metadata: Iterable[tuple[str, Value]] | None) -> Attachments:
    """Returns the Dubbo attachments in a request's or a response's metadata.

    Nothing marks a header as an attachment: every header is one that has no meaning to HTTP, gRPC, Envoy,
    tracing or Dubbo itself. Names are restored by `tri-header-convert`; one that ends in `-bin` loses
    that and has bytes. Text that is not ASCII is decoded: dubbo-go sends UTF-8, Dubbo Java Latin-1 (and `?`
    for all other characters).
    """
    pairs = tuple((key, value) for key, value in metadata or ())
    original = _original_names(next((value for key, value in pairs if key == _CONVERT), None))
    found: dict[str, tuple[Value, ...]] = {}
    for key, value in pairs:
        lower = key.removesuffix("-bin") if isinstance(value, bytes) else key
        if _owner_of(key) is None and _owner_of(lower) is None and lower not in _ROUTING:
            name = original.get(lower, lower)
            found[name] = (*found.get(name, ()), value)
    return Attachments(found)


def _owner_of(header: str) -> str | None:
    if header in _INTERNAL:
        return "Dubbo"
    if header in CARRIED or header.startswith(_TRACING):
        return "tracing"
    return owner_of(header)


def _checked(name: str, given: Value | Sequence[Value]) -> Iterator[Value]:
    """The values of one attachment of the application's own."""
    if not isinstance(name, str):
        raise TypeError(f"attachment {name!r}: the name must be a string")
    lower = name.lower()
    if not _NAME.fullmatch(name) or lower.endswith("-bin"):
        raise ValueError(
            f"attachment {name!r} cannot be the name of a header: use letters, digits, '-', '_' and '.', and "
            "no '-bin' at the end"
        )
    owner = _owner_of(lower)
    if owner is not None:
        raise ValueError(f"attachment {name!r} must have another name: that header belongs to {owner}")
    for value in given if isinstance(given, list | tuple) else (given,):
        if not isinstance(value, str | bytes):
            raise TypeError(f"attachment {name!r}: {value!r} must be a string or bytes")
        if isinstance(value, str) and not is_sendable(value):
            raise ValueError(
                f"attachment {name!r}: {value!r} cannot be sent: text must be printable ASCII without a "
                "space at either end; anything else can be sent as bytes"
            )
        yield value


def _received(values: Attachments) -> Iterator[tuple[str, Value]]:
    """The attachments of a peer's that can be passed on."""
    for name in values:
        for value in values.get_all(name):
            if _NAME.fullmatch(name) and (isinstance(value, bytes) or is_sendable(value)):
                yield name, value
            else:
                _log.debug("attachment %s is not passed on: gRPC cannot send it", printable(name))


def _metadata(pairs: Iterable[tuple[str, Value]]) -> Metadata:
    metadata: list[tuple[str, Value]] = []
    original: dict[str, str] = {}
    for name, value in pairs:
        lower = name.lower()
        if original.setdefault(lower, name) != name:
            raise ValueError(f"attachments {original[lower]!r} and {name!r} differ by case only")
        metadata.append((lower, value) if isinstance(value, str) else (f"{lower}-bin", value))
    converted = {lower: name for lower, name in original.items() if lower != name}
    if converted:
        import json  # here and below: few use this, and everybody would wait for it
        import urllib.parse

        metadata.append((_CONVERT, urllib.parse.quote(json.dumps(converted, separators=(",", ":")))))
    return tuple(metadata)


def _original_names(encoded: Value | None) -> Mapping[str, str]:
    """The names in `tri-header-convert`, `{lower: Original}`; empty if it is malformed.

    A name may differ from its header's in case only, so that no attachment can pass for another.
    """
    if not isinstance(encoded, str):
        return {}
    import json
    import urllib.parse

    try:
        names = json.loads(urllib.parse.unquote_plus(encoded))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(names, dict):
        return {}
    return {
        lower: name
        for lower, name in cast("dict[str, Any]", names).items()
        if isinstance(name, str) and name.isascii() and name.lower() == lower
    }
