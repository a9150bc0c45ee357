"""Tests of instances as labels of pods: the right side of conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...policy.labels import is_name
from ..stages import Argument, Attachment, Constant, Glob, Method, Param, Place, Range, Reference, Regex
from .values import InexpressibleError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...policy.model import Labels
    from ..directory import Host
    from ..stages import Pattern, Test
    from .steps import Predicate

_ONLY_EQUALITY = "a subset's labels are equal to one value each"


def labels(tests: Iterable[Test], scope: Predicate, host: Host) -> Labels | None:
    """The labels of pods for which all tests hold; None if there can be no such pod.

    Raises:
        InexpressibleError: labels cannot tell them; the message says why, and what to do instead.
    """
    found: dict[str, str] = {}
    for test in tests:
        known = _known(test, scope, host)
        if known is None:
            label = _label(test)
            known = label is not None
            if label is not None:
                found[label[0]] = label[1]
        if not known:
            return None
    return tuple(sorted(found.items()))


def is_label(key: str, value: str) -> bool:
    """Whether a pod can have a label."""
    return is_name(key) and (not value or is_name(value))


def _known(test: Test, scope: Predicate, host: Host) -> bool | None:
    """The result of a test, if it is the same for all instances of a host; None if it is not."""
    value: str | None
    match test.subject:
        case Method() | Attachment() | Argument() | Param(""):
            value = None
        case Param("side"):
            value = "provider"
        case Place("protocol"):
            value = "tri"
        case Param("interface") | Place("path") if scope.service is not None:
            value = scope.service
        case Place("/path") if scope.service is not None:
            value = f"/{scope.service}"
        case Param("remote.application"):
            value = host.name
        case _:
            never = test.equal and all(each == Constant(holds=False) for each in test.equal)
            return False if never and not test.if_absent else None
    if value is None:
        return test.if_absent
    if any(isinstance(each, (Reference, Regex)) for each in (*test.equal, *test.unequal)):
        return None
    return not any(_holds(each, value) for each in test.unequal) and (
        not test.equal or any(_holds(each, value) for each in test.equal)
    )


def _holds(pattern: Pattern, value: str) -> bool:
    match pattern:
        case Glob() | Range():
            return pattern.holds(value)
        case Constant(holds):
            return holds
        case _:
            return False


def _label(test: Test) -> tuple[str, str] | None:
    """The label of the pods for which a test holds; None if it never does."""
    match test.subject:
        case Param("application"):
            raise InexpressibleError(
                "application of instances: Dubbo compares the caller's own, with which it merges their URLs: "
                "write application on the left side"
            )
        case Param("interface"):
            raise InexpressibleError(
                "interface of instances: it is that of the call: write a rule of scope service for it"
            )
        case Param(key):
            pass
        case Place(part):
            raise InexpressibleError(
                f"{part} of instances: pods have no fixed addresses, and all have the Service's port: "
                "give these pods a label of their own, and name it"
            )
        case _:
            raise InexpressibleError(f"{test.subject}: it is no parameter of instances")
    equal = tuple(dict.fromkeys(test.equal))
    if equal and all(isinstance(each, Glob) and not each.star for each in equal):
        if all(isinstance(each, (Glob, Range, Constant)) for each in test.unequal):
            equal = tuple(
                [
                    each
                    for each in equal
                    if isinstance(each, Glob)
                    and not any(_holds(other, each.prefix) for other in test.unequal)
                ]
            )
            test = test._replace(unequal=())
        if not equal:
            return None
    if test.unequal:
        raise InexpressibleError(
            f"{key}!=: {_ONLY_EQUALITY}, and cannot be unequal: give the other pods a label of their own, "
            "and name it"
        )
    match equal:
        case (Glob(value, False),):
            pass
        case (Glob("", True, ""),):
            raise InexpressibleError(
                f"{key}=*: {_ONLY_EQUALITY}, and cannot ask whether there is one: give these pods a label of "
                "their own"
            )
        case (Glob() | Range(),):
            raise InexpressibleError(
                f"{key}: {_ONLY_EQUALITY}, not to patterns: give these pods a label of their own"
            )
        case (Reference(param),):
            raise InexpressibleError(
                f"{key}=${param}: {_ONLY_EQUALITY}, not to the caller's: write a line for each value of "
                f"{param}, or prefer pods near the caller with an affinity rule"
            )
        case (Constant(),):
            raise InexpressibleError(f"{key}: it has no value")
        case _:
            raise InexpressibleError(
                f"{key}: {_ONLY_EQUALITY}, and cannot be one of several: give these pods a label in common"
            )
    if not is_label(key, value):
        raise InexpressibleError(f"{key}={value} cannot be a label of a pod: give these pods another one")
    return key, value
