"""What a route asks of a request beside its path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..request import Beginning, Request
from ..unknown import Unknown, Verdict, either, every, opposite
from ..values import EMPTY, Json, at, flag, has, mapping, number, objects, percentage, text
from .strings import compare, full_match, string_matches

_PATHS = {
    "prefix",
    "path",
    "safe_regex",
    "connect_matcher",
    "path_separated_prefix",
    "path_match_policy",
    "case_sensitive",
}
_CONDITIONS = {
    "runtime_fraction",
    "headers",
    "query_parameters",
    "grpc",
    "tls_context",
    "dynamic_metadata",
    "filter_state",
}
_COMPARED = {
    "exact_match": "exact",
    "prefix_match": "prefix",
    "suffix_match": "suffix",
    "contains_match": "contains",
}


def is_unconditional(match: Json) -> bool:
    """Whether a `RouteMatch` asks for a path only."""
    return not set(match) - _PATHS


def conditions_hold(match: Json, request: Request, runtime: Json = EMPTY) -> Verdict:
    """Whether all conditions of a `RouteMatch` hold but the one on the path.

    Args:
        match: the message.
        request: the request, as the connection manager passes it on.
        runtime: values of Envoy's runtime, by their keys.
    """
    return True if is_unconditional(match) else every(_conditions(match, request, runtime))


def _conditions(match: Json, request: Request, runtime: Json) -> Iterator[Verdict]:
    for each in objects(match, "headers"):
        yield header_matches(each, request)
    query = request.path.partition("?")[2].partition("#")[0]
    for each in objects(match, "query_parameters"):
        yield _query_matches(each, query)
    if has(match, "grpc"):
        kind = request.headers.get("content-type", "")
        yield kind == "application/grpc" or kind.startswith("application/grpc+")
    if has(match, "runtime_fraction"):
        yield _share(mapping(match, "runtime_fraction"), runtime)
    if has(match, "tls_context"):
        # The connection is in plaintext: there is no certificate, so none is valid.
        yield flag(match, "tls_context", "presented") is not True
        yield flag(match, "tls_context", "validated") is not True
    for key, what in (
        ("dynamic_metadata", "metadata that filters set (dynamic_metadata)"),
        ("filter_state", "state that filters set (filter_state)"),
    ):
        if at(match, key):
            yield Unknown(f"it depends on {what}")
    for key in sorted(set(match) - _PATHS - _CONDITIONS):
        yield Unknown(f"it depends on {key}, which the doctor does not know")


def header_matches(matcher: Json, request: Request) -> Verdict:
    """Whether a request matches a `HeaderMatcher`."""
    name = text(matcher, "name").lower()
    values = request.values(name)
    if not values and flag(matcher, "treat_missing_header_as_empty"):
        values = ("",)
    inverted = flag(matcher, "invert_match") is True
    present = flag(matcher, "present_match")
    specified = set(matcher) - {"name", "invert_match", "treat_missing_header_as_empty"}
    if present is not None or not specified:
        return (bool(values) == (present is not False)) != inverted
    if not values:
        return False  # inverted or not
    verdict = either(_value_matches(matcher, value) for value in values)
    if isinstance(verdict, Unknown):
        return Unknown(f"it depends on the header {name}: {verdict.why}")
    return opposite(verdict) if inverted else verdict


def _value_matches(matcher: Json, value: str | Beginning) -> Verdict:
    if has(matcher, "string_match"):
        return string_matches(mapping(matcher, "string_match"), value)
    if has(matcher, "safe_regex_match"):
        return full_match(text(matcher, "safe_regex_match", "regex"), value)
    if has(matcher, "range_match"):
        return _in_range(mapping(matcher, "range_match"), value)
    for field, kind in _COMPARED.items():
        wanted = at(matcher, field)
        if isinstance(wanted, str):
            return (field == "exact_match" and not wanted) or compare(kind, wanted, value)
    return Unknown("it is matched in a way that is not known")


def _in_range(interval: Json, value: str | Beginning) -> Verdict:
    """Whether a value is a whole number in a half-open interval."""
    if isinstance(value, Beginning):
        return Unknown("the whole value is not known")
    if not re.fullmatch(r"\s*[-+]?[0-9]{1,20}\s*", value, re.ASCII):
        return False
    parsed = int(value)
    if not -(2**63) <= parsed < 2**63:
        return False
    return (number(interval, "start") or 0) <= parsed < (number(interval, "end") or 0)


def _query_matches(matcher: Json, query: str) -> Verdict:
    name = text(matcher, "name")
    values = [pair.partition("=")[2] for pair in query.split("&") if pair and pair.partition("=")[0] == name]
    present = flag(matcher, "present_match")
    if present is not None:
        return bool(values) == present
    if not values:
        return False
    return (
        string_matches(mapping(matcher, "string_match"), values[0]) if has(matcher, "string_match") else True
    )


def _share(fraction: Json, runtime: Json) -> Verdict:
    """Whether a route takes all requests, or none."""
    given = mapping(fraction, "default_value")
    key = text(fraction, "runtime_key")
    if key in runtime:
        override = number(runtime, key)
        given = mapping(runtime, key) if override is None else {"numerator": override}
    share = percentage(given) or 0.0
    if share <= 0 or share >= 100:
        return share > 0
    return Unknown(f"it takes {share:g} % of the requests (runtime_fraction)")
