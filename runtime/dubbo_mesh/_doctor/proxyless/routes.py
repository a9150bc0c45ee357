"""The routes that grpc's xDS client has, as JSON of Envoy's API: the fields that grpc looks at.

(`envoy/config/route/v3/route_components.proto`, `envoy/config/listener/v3/api_listener.proto`)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from .wire import Message, bytes_of, integer, messages, parse, text, texts

Schema: TypeAlias = Mapping[int, tuple[str, Any]]
"""Of a message: the names of fields, and what they are, by their numbers.

What a field is: `text`, `texts`, `number`, `flag`, `denominator`, `duration`, `wrapped` (a number in a
message of its own), `flagged` (a boolean in one), the schema of a message, or a list with that of those which
are repeated.
"""

_REGEX: Schema = {2: ("regex", "text")}
_STRING: Schema = {
    1: ("exact", "text"),
    2: ("prefix", "text"),
    3: ("suffix", "text"),
    5: ("safe_regex", _REGEX),
    6: ("ignore_case", "flag"),
    7: ("contains", "text"),
}
_HEADER: Schema = {
    1: ("name", "text"),
    4: ("exact_match", "text"),
    6: ("range_match", {1: ("start", "number"), 2: ("end", "number")}),
    7: ("present_match", "flag"),
    8: ("invert_match", "flag"),
    9: ("prefix_match", "text"),
    10: ("suffix_match", "text"),
    11: ("safe_regex_match", _REGEX),
    12: ("contains_match", "text"),
    13: ("string_match", _STRING),
}
_FRACTION: Schema = {1: ("numerator", "number"), 2: ("denominator", "denominator")}
_MATCH: Schema = {
    1: ("prefix", "text"),
    2: ("path", "text"),
    4: ("case_sensitive", "flagged"),
    6: ("headers", [_HEADER]),
    9: ("runtime_fraction", {1: ("default_value", _FRACTION)}),
    10: ("safe_regex", _REGEX),
}
_RETRY: Schema = {1: ("retry_on", "text"), 2: ("num_retries", "wrapped")}
_DURATION: Schema = {1: ("max_stream_duration", "duration"), 2: ("grpc_timeout_header_max", "duration")}
_WEIGHTED: Schema = {1: ("clusters", [{1: ("name", "text"), 2: ("weight", "wrapped")}])}
_ACTION: Schema = {
    1: ("cluster", "text"),
    3: ("weighted_clusters", _WEIGHTED),
    9: ("retry_policy", _RETRY),
    36: ("max_stream_duration", _DURATION),
}
_ROUTE: Schema = {1: ("match", _MATCH), 2: ("route", _ACTION), 14: ("name", "text")}
_HOST: Schema = {
    1: ("name", "text"),
    2: ("domains", "texts"),
    3: ("routes", [_ROUTE]),
    16: ("retry_policy", _RETRY),
}
_ROUTES: Schema = {1: ("name", "text"), 2: ("virtual_hosts", [_HOST])}
_MANAGER: Schema = {
    4: ("route_config", _ROUTES),
    35: ("common_http_protocol_options", {4: ("max_stream_duration", "duration")}),
}
_DENOMINATORS = ("HUNDRED", "TEN_THOUSAND", "MILLION")


def routes_of(content: bytes) -> Mapping[str, Any]:
    """A `RouteConfiguration` message.

    Raises:
        ValueError: it is malformed.
    """
    return _message(parse(content), _ROUTES)


def manager_of(content: bytes) -> Mapping[str, Any]:
    """The `HttpConnectionManager` of a `Listener` message, which is in its `api_listener`.

    Raises:
        ValueError: it is malformed.
    """
    for outer in messages(parse(content), 19):
        for packed in messages(outer, 1):
            return _message(parse(bytes_of(packed, 2)), _MANAGER)
    return {}


def _message(message: Message, schema: Schema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, (name, kind) in schema.items():
        if number in message:
            found[name] = _value(message, number, kind)
    return found


def _value(message: Message, number: int, kind: Any) -> object:
    if isinstance(kind, list):
        return [_message(each, cast("list[Schema]", kind)[0]) for each in messages(message, number)]
    if not isinstance(kind, str):
        return _message(_last(message, number), kind)
    match kind:
        case "texts":
            return texts(message, number)
        case "text":
            return text(message, number)
        case "flag":
            return integer(message, number) != 0
        case "denominator":
            value = integer(message, number)
            return _DENOMINATORS[value] if value < len(_DENOMINATORS) else "HUNDRED"
        case "duration":
            given = _last(message, number)
            return f"{integer(given, 1)}.{min(integer(given, 2), 999_999_999):09}s"
        case "wrapped":
            return integer(_last(message, number), 1)
        case "flagged":
            return integer(_last(message, number), 1) != 0
        case _:
            value = integer(message, number)
            return value if value < 2**63 else value - 2**64


def _last(message: Message, number: int) -> Message:
    return parse(bytes_of(message, number))
