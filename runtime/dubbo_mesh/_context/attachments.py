"""Dubbo's attachments, as Triple carries them: plain headers, with the original case of their names beside.

(Dubbo Java: `StreamUtils.convertAttachment`.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, cast

from .._addressing.environment import CARRIED
from .._contract.validation import check_header_value

Metadata = tuple[tuple[str, str | bytes], ...]

_CONVERT = "tri-header-convert"
_NAME = re.compile(r"[0-9A-Za-z_.-]+")

# What is a header of somebody's and no attachment of the caller's.
_RESERVED = re.compile(
    r"x-envoy-|x-forwarded-|tri-|grpc-|x-b3-|x-datadog-|:"
    r"|(?:user-agent|content-type|te|accept-encoding|authorization|cookie|host|via|forwarded|dubbo\.tag"
    r"|x-client-trace-id|" + "|".join(map(re.escape, sorted(CARRIED))) + r")$"
)


def attachments(values: Mapping[str, str | bytes]) -> Metadata:
    """Metadata that carries `values` as Dubbo attachments, to a provider or back to a consumer.

    Args:
        values: attachments by name, of which the case is kept; bytes travel as `-bin` headers.

    Raises:
        ValueError: a name or a text cannot be a header's, or belongs to gRPC, Envoy or Triple.
    """
    metadata: list[tuple[str, str | bytes]] = []
    original: dict[str, str] = {}
    for name, value in values.items():
        lower = name.lower()
        if not _NAME.fullmatch(name) or lower.endswith("-bin"):
            raise ValueError(
                f"attachment {name!r} cannot be the name of a header: letters, digits, '-', '_', '.'"
            )
        if lower != "dubbo.tag" and _RESERVED.match(lower):
            raise ValueError(f"attachment {name!r} has the name of a header that means something else")
        if original.setdefault(lower, name) != name:
            raise ValueError(f"attachments {original[lower]!r} and {name!r} differ by case only")
        if isinstance(value, str):
            metadata.append((lower, check_header_value(f"attachment {name!r}:", value)))
        else:
            metadata.append((f"{lower}-bin", value))
    converted = {lower: name for lower, name in original.items() if lower != name}
    if converted:
        import json  # here and below: few use this, and all would wait for it
        import urllib.parse

        metadata.append((_CONVERT, urllib.parse.quote(json.dumps(converted, separators=(",", ":")))))
    return tuple(metadata)


def read_attachments(metadata: Iterable[tuple[str, str | bytes]] | None) -> Mapping[str, str | bytes]:
    """The Dubbo attachments in a request's, or a response's, metadata, by the names they were given.

    A header without attachments' marks counts as one unless it belongs to gRPC, Envoy, Triple or tracing.
    """
    pairs = tuple((key, value) for key, value in metadata or ())
    original = _original_names(next((value for key, value in pairs if key == _CONVERT), None))
    found: dict[str, str | bytes] = {}
    for key, value in pairs:
        if not _RESERVED.match(key):
            name = key.removesuffix("-bin") if isinstance(value, bytes) else key
            found[original.get(name, name)] = value
    return MappingProxyType(found)


def _original_names(encoded: str | bytes | None) -> Mapping[str, str]:
    """`tri-header-convert` decoded, `{lower: Original}`; what is not that says nothing.

    A name differs from its header's in case only: nobody is to have one attachment taken for another.
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
        if isinstance(name, str) and name.lower() == lower
    }
