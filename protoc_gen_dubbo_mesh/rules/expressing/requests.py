"""Tests of requests as predicates: the left side of conditions, and `match` of mesh routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...policy.labels import is_name
from ..stages import Argument, Attachment, Constant, Glob, Method, Param, Place, Range
from . import predicates, ranges
from . import values as sets
from .steps import Predicate, Values
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..directory import Host
    from ..stages import Pattern, Test

_HEADERS = {
    "application": "tri-consumer-appname",
    "version": "tri-service-version",
    "group": "tri-service-group",
}
"""Headers of Triple that carry parameters of the consumer's."""

_HEADER_NAME = re.compile(r"[a-z0-9_.-]+")
_NOT_EMPTY = Values(None, (Glob(""),), required=True)
_BODY = "arguments are in the body, which Envoy does not look into to route"


def predicate(tests: Iterable[Test], scope: Predicate, host: Host) -> Predicate | None:
    """The requests of a scope for which all tests hold; None if there are none.

    Raises:
        InexpressibleError: Istio cannot tell them; the message says why.
    """
    found = scope
    for test in tests:
        known = _known(test, scope)
        if known is not None:
            if not known:
                return None
            continue
        one = _predicate(test, scope, host)
        narrower = None if one is None else predicates.both(found, one)
        if narrower is None:
            return None
        found = narrower
    return found


def _known(test: Test, scope: Predicate) -> bool | None:
    """The result of a test, if it is the same for all requests of a scope; None if it is not."""
    value: str | None
    match test.subject:
        case Attachment("", not_found) | Argument(-1, not_found):
            value = not_found
        case Param(""):
            value = None
        case Param("side") | Place("protocol"):
            value = "consumer"
        case Place("/port"):
            value = "0"
        case Place("path") if scope.service is not None:
            value = scope.service
        case Place("/path") if scope.service is not None:
            value = f"/{scope.service}"
        case _:
            return None
    if value is None:
        return test.if_absent
    values = _values(test)
    return values is not None and sets.allows(values, value)


def _predicate(test: Test, scope: Predicate, host: Host) -> Predicate | None:
    values = _values(test)
    if values is None:
        return None
    match test.subject:
        case Method():
            methods = _methods(values, scope, host)
            return None if methods is None else Predicate(methods=methods)
        case Attachment(key):
            if not _HEADER_NAME.fullmatch(key.lower()):
                raise InexpressibleError(f"the attachment {key} cannot be a header's name")
            present = sets.both(values, _NOT_EMPTY) if test.empty_is_absent else values
            return None if present is None else Predicate(headers=((key.lower(), present),))
        case Param(key) if key in _HEADERS:
            if key == "application":  # every consumer has one
                values = values._replace(required=False)
            return Predicate(headers=((_HEADERS[key], values),))
        case Param("interface"):
            return _interface(values, scope)
        case Param(key):
            return Predicate(source_labels=((key, _label(key, values)),))
        case Argument(position):
            raise InexpressibleError(
                f"arguments[{position}]: {_BODY}: send the value as metadata, and write a condition on "
                "attachments"
            )
        case Place(part):
            raise InexpressibleError(
                f"{part} of the consumer: a VirtualService cannot match it: use its application or a label "
                "of its pods, or an AuthorizationPolicy with ipBlocks if the line denies"
            )


def _values(test: Test) -> Values | None:
    """The values for which a test holds; None if it never does."""
    equal = ranges.any_of(_patterns(test.equal)) if test.equal else sets.ANY
    unequal = ranges.none_of(_patterns(test.unequal), required=not test.if_absent)
    if equal is None or unequal is None:
        return Values(None, (sets.EVERY,)) if test.if_absent else None
    return sets.both(equal, unequal)


def _patterns(patterns: Iterable[Pattern]) -> Iterator[Glob | Range]:
    for pattern in patterns:
        match pattern:
            case Glob() | Range():
                yield pattern
            case Constant(True):
                yield sets.EVERY
            case Constant(False):
                pass
            case _:
                raise InexpressibleError(
                    f"{pattern}: Istio's regular expressions are RE2's, unlike Dubbo's: rewrite it by hand"
                )


def _methods(values: Values, scope: Predicate, host: Host) -> Values | None:
    known = host.services.get(scope.service or "")
    if known is not None:
        return sets.among(values, known)
    for pattern in (*(values.allowed or ()), *values.denied):
        text = f"{pattern.prefix}{pattern.suffix}" if isinstance(pattern, Glob) else ""
        if text and not text.isascii():
            raise InexpressibleError(
                f"no rpc of a proto can be called {text}: only ASCII letters, digits and _"
            )
    return values._replace(required=False)


def _interface(values: Values, scope: Predicate) -> Predicate | None:
    if scope.service is not None:
        return Predicate() if sets.allows(values, scope.service) else None
    match values:
        case Values((Glob(name, False),)):
            return Predicate(service=name)
        case _:
            raise InexpressibleError("interface: only one service can be named: write a line for each")


def _label(key: str, values: Values) -> str:
    match values:
        case Values((Glob(value, False),)) if not value or is_name(value):
            return value
        case _:
            raise InexpressibleError(
                f"{key}: a consumer's parameter becomes a label of its pods, and sourceLabels equal one "
                "value each: write a line for each value"
            )
